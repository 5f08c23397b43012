"""Import of the state of releases that had no SQLite store."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from loguru import logger
from test_store import answered, record

from remote.events.bus import SequenceAllocator
from remote.legacy_state import import_legacy_state
from remote.state_database import StoreError
from remote.store import StateStore


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    opened = StateStore(tmp_path / "state.sqlite", 10)
    yield opened
    opened.close()


@pytest.fixture
def log():
    """The logged lines."""
    lines = []
    sink = logger.add(lambda line: lines.append(line.record["message"]))
    yield lines
    logger.remove(sink)


def write_legacy(folder, *records, numbers=None):
    """Write the files that an earlier release leaves."""
    (folder / "requests").mkdir(exist_ok=True)
    for saved in records:
        (folder / "requests" / f"{saved.request_id}.json").write_text(saved.model_dump_json())
    if numbers is not None:
        (folder / "numbers").write_text(numbers)


def remaining(folder):
    """The remaining legacy files."""
    return sorted(path.name for path in (*folder.glob("numbers"), *folder.glob("requests"), *folder.glob("requests/*")))


def test_legacy_state_is_imported_and_removed(tmp_path, store):
    """Records and event numbers are imported; the next number is one that the earlier release never allocated."""
    write_legacy(tmp_path, record(2, answered()), record(1, answered()), numbers="3000000\n")
    import_legacy_state(tmp_path, store)
    assert list(store) == [record(1, answered()), record(2, answered())]
    assert SequenceAllocator(store).next() == 3_000_001
    assert remaining(tmp_path) == []


def test_legacy_state_is_durable_before_it_is_removed(tmp_path, store):
    """A restart after the import finds all imported data."""
    write_legacy(tmp_path, record(1, answered()), numbers="3000000\n")
    import_legacy_state(tmp_path, store)
    reopened = StateStore(tmp_path / "state.sqlite", 10)
    assert list(reopened) == [record(1, answered())]
    assert SequenceAllocator(reopened).next() == 3_000_001


def test_legacy_state_stays_while_a_request_is_open(tmp_path, store):
    """The request may be the update to this release, and its rollback restores the release that reads the files."""
    write_legacy(tmp_path, record(1), numbers="1000000\n")
    import_legacy_state(tmp_path, store)
    assert list(store) == [record(1)]
    assert remaining(tmp_path) == ["id-1.json", "numbers", "requests"]
    store.save(record(1, answered()))
    store.reserve_event_numbers(10)
    import_legacy_state(tmp_path, store)
    assert list(store) == [record(1, answered())]  # the store takes precedence
    assert store.reserve_event_numbers(10) == 1_000_020
    assert remaining(tmp_path) == []


def fail(*_):
    """A store that cannot be written."""
    raise StoreError("disk full")


def test_legacy_state_import_repeats_after_a_failure(tmp_path, store, monkeypatch):
    """No file is removed before all data is in the store."""
    write_legacy(tmp_path, record(1, answered()), numbers="1000000\n")
    with monkeypatch.context() as patched:
        patched.setattr(store, "import_records", fail)
        with pytest.raises(StoreError):
            import_legacy_state(tmp_path, store)
    assert remaining(tmp_path) == ["id-1.json", "numbers", "requests"]
    import_legacy_state(tmp_path, store)
    assert list(store) == [record(1, answered())]


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"\0" * 300, b"[]", b"\xff"])
def test_legacy_state_keeps_a_file_that_does_not_decode(tmp_path, store, content):
    """The other files are imported (I16)."""
    write_legacy(tmp_path, record(1, answered()))
    (tmp_path / "requests" / "id-9.json").write_bytes(content)
    import_legacy_state(tmp_path, store)
    assert list(store) == [record(1, answered())]
    assert remaining(tmp_path) == ["id-9.json", "requests"]


def test_legacy_state_keeps_a_record_whose_file_name_differs(tmp_path, store):
    """A copied record does not count as a second request."""
    write_legacy(tmp_path, record(1, answered()))
    (tmp_path / "requests" / "a-copy.json").write_text(record(1).model_dump_json())
    import_legacy_state(tmp_path, store)
    assert list(store) == [record(1, answered())]
    assert remaining(tmp_path) == ["a-copy.json", "requests"]


@pytest.mark.parametrize("content", ["", "abc", "-5", "1\n2", "9" * 17, "ä"])
def test_legacy_state_ignores_a_file_without_a_number(tmp_path, store, content):
    """Numbering restarts; ``complete`` reports the gap to clients."""
    write_legacy(tmp_path, numbers=content)
    import_legacy_state(tmp_path, store)
    assert SequenceAllocator(store).next() == 1
    assert not (tmp_path / "numbers").exists()


def test_legacy_state_may_be_absent(tmp_path, store):
    """A new installation has no legacy state."""
    import_legacy_state(tmp_path, store)
    assert list(store) == []


def write_releases(folder, **components):
    """Write the releases file of an earlier release."""
    (folder / "releases.json").write_text(json.dumps({"components": components}))


SAVED_RELEASE = {
    "question": {"api": "https://api.github.com", "repository": "owner/core", "prereleases": False},
    "release": {"version": "1.1.0", "notes": "", "url": "", "prerelease": False, "published_at": None},
    "checked_at": "2026-01-16T10:30:00Z",
}


def test_legacy_releases_are_imported_and_removed(tmp_path, store):
    """The file replaces what the store holds, as an earlier release wrote it later; a bad entry is left out (I16)."""
    store.save_releases({"core": "older", "removed": "older"})
    write_releases(tmp_path, bad={"question": None}, core=SAVED_RELEASE)
    import_legacy_state(tmp_path, store)
    assert {name: json.loads(answer) for name, answer in store.saved_releases().items()} == {"core": SAVED_RELEASE}
    assert not (tmp_path / "releases.json").exists()


def test_legacy_rate_limit_is_imported_and_removed(tmp_path, store):
    """The next request waits until the saved time."""
    (tmp_path / "releases-limit.json").write_text('{"until": "2026-01-16T11:00:00Z", "pauses": 2}')
    import_legacy_state(tmp_path, store)
    assert json.loads(store.saved_rate_limit()) == {"until": "2026-01-16T11:00:00Z", "pauses": 2}
    assert not (tmp_path / "releases-limit.json").exists()


@pytest.mark.parametrize("name", ["releases.json", "releases-limit.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"other": 1}'])
def test_legacy_state_ignores_a_saved_file_that_does_not_decode(tmp_path, store, name, content):
    """The file stays for inspection, and the store is unchanged."""
    (tmp_path / name).write_bytes(content)
    import_legacy_state(tmp_path, store)
    assert (store.saved_releases(), store.saved_rate_limit()) == ({}, None)
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("unreadable", ["requests/id-9.json", "numbers", "releases.json", "releases-limit.json"])
def test_legacy_state_leaves_an_unreadable_file(tmp_path, store, log, unreadable):
    """A file that cannot be read (here, a directory) stays, and the others are imported (I16)."""
    write_legacy(tmp_path, record(1, answered()), numbers="1000000\n")
    write_releases(tmp_path, core=SAVED_RELEASE)
    (tmp_path / "releases-limit.json").write_text('{"until": "2026-01-16T11:00:00Z", "pauses": 2}')
    (tmp_path / unreadable).unlink(missing_ok=True)
    (tmp_path / unreadable).mkdir()
    import_legacy_state(tmp_path, store)
    assert f"cannot import {tmp_path / unreadable}: Is a directory" in log
    assert (tmp_path / unreadable).is_dir()
    assert list(store) == [record(1, answered())]
    assert (set(store.saved_releases()) == {"core"}) == (unreadable != "releases.json")
    assert (store.saved_rate_limit() is not None) == (unreadable != "releases-limit.json")


def test_legacy_state_leaves_an_unreadable_folder(tmp_path, store):
    """The folder of requests is a file: it stays, and the others are imported (I16)."""
    (tmp_path / "requests").write_text("")
    (tmp_path / "numbers").write_text("1000000\n")
    import_legacy_state(tmp_path, store)
    assert SequenceAllocator(store).next() == 1_000_001
    assert remaining(tmp_path) == ["requests"]


def test_legacy_state_keeps_a_file_that_cannot_be_removed(tmp_path, store, monkeypatch):
    """The next start imports it again; this one continues."""

    def refuse(path, **_):
        raise OSError(errno.EROFS, "Read-only file system")

    write_legacy(tmp_path, record(1, answered()), numbers="1000000\n")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        import_legacy_state(tmp_path, store)
    import_legacy_state(tmp_path, store)
    assert list(store) == [record(1, answered())]
    assert remaining(tmp_path) == []


def test_legacy_releases_stay_when_the_store_cannot_be_written(tmp_path, store, monkeypatch):
    """They only save requests to GitHub: the start continues without them."""
    monkeypatch.setattr(store, "save_releases", fail)
    write_releases(tmp_path, core=SAVED_RELEASE)
    import_legacy_state(tmp_path, store)
    assert (tmp_path / "releases.json").exists()
