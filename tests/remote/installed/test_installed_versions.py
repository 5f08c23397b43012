"""Installed versions of all components."""

import json

import pytest

from remote.installed.component_settings import ComponentSettings
from remote.installed.sources import SOURCES
from remote.installed.sources.self_version import VARIABLE
from remote.installed.version_source import VersionSource
from remote.installed.versions import InstalledVersion, VersionReader


@pytest.fixture
def versions(tmp_path, monkeypatch):
    """A reader of three components, one per source; the files of two do not exist yet."""
    monkeypatch.setenv(VARIABLE, "3.0.0")
    return VersionReader(
        {
            "core": ComponentSettings(repository="core", installed="version_file", path=tmp_path / "VERSION"),
            "scheduler": ComponentSettings(
                repository="s", installed="compose_file", path=tmp_path / "compose.yml", service="scheduler"
            ),
            "remote": ComponentSettings(repository="remote", installed="itself"),
        }
    )


def test_versions_are_unknown_before_the_first_refresh(versions):
    """The constructor reads no source."""
    assert versions.of("remote") == InstalledVersion(version=None, error=None)


def test_refresh_reads_each_component_from_its_source(versions, tmp_path):
    """Each of the three sources is read."""
    (tmp_path / "VERSION").write_text(json.dumps({"full_version": "1.0.0"}))
    (tmp_path / "compose.yml").write_text("services: {scheduler: {image: 'scheduler:2.0.0'}}")
    versions.refresh()
    assert [versions.of(name).version for name in ("core", "scheduler", "remote")] == ["1.0.0", "2.0.0", "3.0.0"]
    assert [versions.of(name).error for name in ("core", "scheduler", "remote")] == [None] * 3


def test_refresh_keeps_the_error_of_a_component_and_reads_the_others(versions, tmp_path):
    """A missing file does not affect the other components (I16)."""
    versions.refresh()
    assert versions.of("core").version is None
    assert versions.of("core").error == (
        f"cannot determine the installed version of core: {tmp_path}/VERSION: No such file or directory; "
        "is it installed, mounted here, and readable for this user?"
    )
    assert "compose.yml: No such file" in versions.of("scheduler").error
    assert versions.of("remote") == InstalledVersion("3.0.0", None)


def test_refresh_continues_after_a_source_that_raises(versions, tmp_path, monkeypatch):
    """A defect in one source is an error of its component, and the components after it are read (I16)."""

    def defective(component):
        raise ZeroDivisionError(component)

    monkeypatch.setitem(SOURCES, "version_file", VersionSource(needs={}, read=defective))
    (tmp_path / "compose.yml").write_text("services: {scheduler: {image: 'scheduler:2.0.0'}}")
    versions.refresh()
    assert versions.of("core").error == (
        "cannot determine the installed version of core: version_file failed with ZeroDivisionError; "
        "report this with the log"
    )
    assert [versions.of(name).version for name in ("scheduler", "remote")] == ["2.0.0", "3.0.0"]


def test_refresh_finds_changed_and_removed_versions(versions, tmp_path):
    """A result is kept until the next refresh."""
    (tmp_path / "VERSION").write_text("1.0.0\n")
    versions.refresh()
    (tmp_path / "VERSION").write_text("1.1.0\n")
    assert versions.of("core").version == "1.0.0"
    versions.refresh()
    assert versions.of("core") == InstalledVersion("1.1.0", None)
    (tmp_path / "VERSION").unlink()
    versions.refresh()
    assert versions.of("core").version is None
