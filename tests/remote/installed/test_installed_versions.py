"""What is known of all components' versions."""

import json

import pytest

from remote.installed.sources.self_version import VARIABLE
from remote.installed.versions import Installed, Versions
from remote.settings import Component, Settings


@pytest.fixture
def versions(tmp_path, monkeypatch):
    """Three components, one of each kind; of two, nothing is installed yet."""
    monkeypatch.setenv(VARIABLE, "3.0.0")
    return Versions(
        Settings(
            components={
                "core": Component(repository="core", installed="version_file", path=tmp_path / "VERSION"),
                "scheduler": Component(
                    repository="s", installed="compose_file", path=tmp_path / "compose.yml", service="scheduler"
                ),
                "remote": Component(repository="remote", installed="itself"),
            }
        )
    )


def test_before_the_first_look_nothing_is_known(versions):
    """Nothing is read before it is asked for."""
    assert versions.of("remote") == Installed(version=None, error=None)


def test_every_component_is_read_by_its_own_kind(versions, tmp_path):
    """Each kind's source is read."""
    (tmp_path / "VERSION").write_text(json.dumps({"full_version": "1.0.0"}))
    (tmp_path / "compose.yml").write_text("services: {scheduler: {image: 'scheduler:2.0.0'}}")
    versions.refresh()
    assert [versions.of(name).version for name in ("core", "scheduler", "remote")] == ["1.0.0", "2.0.0", "3.0.0"]
    assert [versions.of(name).error for name in ("core", "scheduler", "remote")] == [None] * 3


def test_one_that_cannot_be_told_hides_no_other(versions, tmp_path):
    """Why a version is unknown is kept in words, and the others are read all the same."""
    versions.refresh()
    assert versions.of("core").version is None
    assert versions.of("core").error == (
        f"cannot tell which version of core is installed: {tmp_path}/VERSION: No such file or directory; "
        "is it installed, mounted here, and may this user read it?"
    )
    assert "compose.yml: No such file" in versions.of("scheduler").error
    assert versions.of("remote") == Installed("3.0.0", None)


def test_a_new_look_finds_what_changed(versions, tmp_path):
    """What others install is found at the next look, and what they remove is gone."""
    (tmp_path / "VERSION").write_text("1.0.0\n")
    versions.refresh()
    (tmp_path / "VERSION").write_text("1.1.0\n")
    assert versions.of("core").version == "1.0.0"
    versions.refresh()
    assert versions.of("core") == Installed("1.1.0", None)
    (tmp_path / "VERSION").unlink()
    versions.refresh()
    assert versions.of("core").version is None
