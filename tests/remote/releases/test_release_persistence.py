"""Saved releases: what survives a restart, and unreadable files."""

import errno
import json

import github_faults as faults
import pytest
from release_fixture import ALL_ONE, COMPONENTS, captured_log, versions

from remote.releases import catalogue as catalogue_module
from remote.releases.catalogue import ReleaseInfo

pytestmark = pytest.mark.usefixtures("published")


def test_catalogue_restores_good_answers(fixture):
    """The next process knows the last good answers and their times without a request."""
    known = fixture.refresh()
    fixture.server.close()
    assert fixture.load() == known


def test_catalogue_does_not_save_failures(server, fixture):
    """The next process knows the last good answers only."""
    known = fixture.refresh()
    server.inject(faults.http_error(404), times=3)
    fixture.refresh(force=True)
    assert fixture.load() == known


@pytest.mark.parametrize("change", [{"account": "other"}, {"api": "http://localhost:9"}, {"prereleases": True}])
def test_catalogue_ignores_saved_answers_to_other_queries(fixture, change):
    """After a change of the configuration, the saved answers do not count."""
    fixture.refresh()
    fixture.settings |= change
    assert fixture.load() == dict.fromkeys(COMPONENTS, ReleaseInfo())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"other": 1}'])
def test_catalogue_replaces_an_invalid_file(fixture, content):
    """An invalid file is logged; all releases are requested again and saved."""
    file = fixture.state / "releases.json"
    file.write_bytes(content)
    with captured_log() as lines:
        known = fixture.refresh()
    assert lines == [f"cannot read the saved releases in {file}: invalid content; requesting them again"]
    assert versions(known) == ALL_ONE
    assert fixture.load() == known


def test_catalogue_restores_the_entries_beside_an_invalid_one(fixture):
    """An invalid entry is logged and requested again; the others are restored (I16)."""
    infos = fixture.refresh()
    file = fixture.state / "releases.json"
    content = json.loads(file.read_bytes())
    content["components"] = {"one": 1} | content["components"] | {"two": {"question": None}}
    file.write_text(json.dumps(content))
    with captured_log() as lines:
        assert fixture.load() == infos | {"two": ReleaseInfo()}
    assert lines == [f"cannot read the saved releases in {file}: invalid content for two; requesting them again"]


def test_catalogue_ignores_saved_components_that_are_not_configured(fixture):
    """A component that was removed from the configuration is ignored."""
    fixture.refresh()
    file = fixture.state / "releases.json"
    content = json.loads(file.read_bytes())
    content["components"]["removed"] = content["components"]["one"]
    file.write_text(json.dumps(content))
    assert versions(fixture.load()) == ALL_ONE


def test_catalogue_keeps_answers_that_cannot_be_saved(fixture, monkeypatch):
    """A full disk is logged, and the answers count in this process."""

    def disk_full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(catalogue_module, "write_atomic", disk_full)
    with captured_log() as lines:
        assert versions(fixture.refresh()) == ALL_ONE
    assert lines == [f"cannot save the releases in {fixture.state}/releases.json: No space left on device"]


def test_catalogue_writes_one_file_at_a_time(fixture, monkeypatch):
    """The thread of a cancelled refresh and the next one would share a temporary file."""
    held = []

    async def scenario(catalogue):
        monkeypatch.setattr(
            catalogue_module, "write_atomic", lambda *_arguments: held.append(catalogue._write_lock.locked())
        )
        await catalogue.refresh(force=True)

    fixture.run(scenario)
    assert held == [True]
