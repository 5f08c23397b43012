"""Import of the state of releases that had no SQLite store."""

from __future__ import annotations

import pytest
from test_store import answered, record

from remote.events.sequence import SequenceAllocator
from remote.legacy_state import import_legacy_state
from remote.store import StateStore, StoreError


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    opened = StateStore(tmp_path / "state.sqlite", 10)
    yield opened
    opened.close()


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


def test_legacy_state_import_repeats_after_a_failure(tmp_path, store):
    """No file is removed before all data is in the store."""
    write_legacy(tmp_path, record(1, answered()), numbers="1000000\n")
    adopt, store.adopt = store.adopt, lambda *_: (_ for _ in ()).throw(StoreError("disk full"))
    with pytest.raises(StoreError):
        import_legacy_state(tmp_path, store)
    assert remaining(tmp_path) == ["id-1.json", "numbers", "requests"]
    store.adopt = adopt
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
