"""Saved releases: what survives a restart, and unreadable files."""

import github_faults as faults
import pytest
from release_fixture import ALL_ONE, COMPONENTS, captured_log, versions

from remote.releases.catalogue import ReleaseInfo
from remote.state_database import StoreError
from remote.store import StateStore

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


@pytest.mark.parametrize("content", ["", "{", "[]", '{"question": null}'])
def test_catalogue_restores_the_entries_beside_an_invalid_one(fixture, content):
    """An invalid entry is logged and requested again; the others are restored (I16)."""
    infos = fixture.refresh()
    store = fixture.store()
    answers = {name: answer.decode() for name, answer in store.saved_releases().items()}
    store.save_releases(answers | {"two": content})
    with captured_log() as lines:
        assert fixture.load() == infos | {"two": ReleaseInfo()}
    assert lines == ["cannot read the saved releases of two: invalid content; requesting them again"]
    assert versions(fixture.refresh()) == ALL_ONE
    assert versions(fixture.load()) == ALL_ONE


def test_catalogue_ignores_saved_components_that_are_not_configured(fixture):
    """A component that was removed from the configuration is ignored."""
    fixture.refresh()
    store = fixture.store()
    answers = {name: answer.decode() for name, answer in store.saved_releases().items()}
    store.save_releases(answers | {"removed": answers["one"]})
    assert versions(fixture.load()) == ALL_ONE


def broken(*_):
    """A store that cannot be used."""
    raise StoreError("cannot use state.sqlite: disk full")


def test_catalogue_keeps_answers_that_cannot_be_saved(fixture, monkeypatch):
    """A full disk is logged, and the answers count in this process."""
    monkeypatch.setattr(StateStore, "save_releases", broken)
    with captured_log() as lines:
        assert versions(fixture.refresh()) == ALL_ONE
    assert lines == ["cannot save the releases: cannot use state.sqlite: disk full"]


def test_catalogue_requests_answers_that_cannot_be_read(fixture, monkeypatch):
    """A store that cannot be read is logged, and all releases are requested."""
    fixture.refresh()
    monkeypatch.setattr(StateStore, "saved_releases", broken)
    with captured_log() as lines:
        assert versions(fixture.refresh()) == ALL_ONE
    assert lines == [
        "cannot read the saved releases: cannot use state.sqlite: disk full; requesting them again",
    ]
