"""Store of the state folder: records of requests, and event numbers."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from loguru import logger

from protocol.types import Action, State, UnknownValue
from remote.state_database import StoreError
from remote.store import StateStore
from remote.submission import OUTPUT_CHARACTERS, RecordedAnswer, SubmissionRecord
from tests.support.message_samples import final

AT = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)


def record(number, answer=None):
    """A request; each number is a second later than the previous one."""
    return SubmissionRecord(
        request_id=f"id-{number}",
        component="core",
        action=Action.UPDATE,
        version="1.2.3",
        asked_at=AT + timedelta(seconds=number),
        answer=answer,
    )


def answered(is_final=True, reason=None):
    """An answer."""
    return RecordedAnswer(
        success=True, state=State.SUCCEEDED, reason=reason, message="done", finished_at=AT, is_final=is_final
    )


@pytest.fixture
def path(tmp_path):
    """The path of the store."""
    return tmp_path / "state.sqlite"


def reopened(path, history=3):
    """The store after a restart."""
    return StateStore(path, history)


def execute(path, sql, *values):
    """Change the file with another connection."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(sql, values)
    connection.close()


@pytest.fixture
def log():
    """The logged lines."""
    lines = []
    sink = logger.add(lines.append, format="{message}")
    yield lines
    logger.remove(sink)


def test_store_keeps_records_across_a_restart(path):
    """All fields are restored, in the order of submission."""
    store = reopened(path)
    for saved in (record(2), record(1, answered())):
        store.save(saved)
    assert list(reopened(path)) == [record(1, answered()), record(2)]


def test_store_keeps_unknown_values(path):
    """An unknown action, state or reason of a newer release is kept; unknown fields are ignored."""
    answer = answered(reason="quota_exceeded").model_copy(update={"state": UnknownValue("paused")})
    newer = record(1, answer).model_copy(update={"action": UnknownValue("cancel")})
    text = newer.model_dump_json().replace("{", '{"priority": 7, ', 1)
    reopened(path).close()
    execute(path, "INSERT INTO requests VALUES ('id-1', ?)", text)
    (read,) = reopened(path)
    assert (read.action, read.answer.reason, read.answer.state) == ("cancel", "quota_exceeded", "paused")


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"\0" * 300, b"[]", b"\xff\xfe", 7, "", "{}"])
@pytest.mark.parametrize("key", ["id-9", b"id-9\xff", 9])
def test_store_skips_and_logs_a_row_that_does_not_decode(path, log, key, content):
    """The other records are read, and the row is kept for inspection (I16)."""
    reopened(path).save(record(1))
    execute(path, "INSERT INTO requests VALUES (?, ?)", key, content)
    assert list(reopened(path)) == [record(1)]
    assert len(log) == 1
    assert "does not decode; skipped" in log[0]
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM requests").fetchone() == (2,)
    connection.close()


def test_store_skips_a_record_under_another_id(path):
    """A copied row is neither a second request nor the answer to the first."""
    store = reopened(path)
    store.save(record(1))
    execute(path, "INSERT INTO requests SELECT 'copy', record FROM requests")
    store.save(record(1, answered()))
    assert list(reopened(path)) == [record(1, answered())]


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_store_renames_a_damaged_database(path, log, content):
    """The start succeeds with an empty state, and the damaged file is kept for inspection."""
    path.write_bytes(content)
    store = reopened(path)
    store.save(record(1))
    assert list(reopened(path)) == [record(1)]
    assert path.with_name("state.sqlite.damaged").read_bytes() == content
    assert "starting with an empty state" in log[0]


@pytest.mark.parametrize("table", ["requests", "releases"])
def test_store_renames_a_database_with_a_damaged_page(path, log, table):
    """Damage behind the first pages is found at the start, when the file can still be replaced."""
    store = reopened(path)
    for number in range(50):
        store.save(record(number))
    store.save_releases({f"component {number}": "x" * 300 for number in range(50)})
    store.close()
    with sqlite3.connect(path) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    connection.close()
    content = bytearray(path.read_bytes())
    content[4096 * (root - 1) : 4096 * root] = b"\xff" * 4096
    path.write_bytes(content)
    assert list(reopened(path)) == []
    assert path.with_name("state.sqlite.damaged").read_bytes() == content
    assert "starting with an empty state" in log[0]


def test_store_migrates_the_file_of_an_earlier_release(path):
    """The tables of this release are added; the records are kept."""
    store = reopened(path)
    store.save(record(1))
    store.close()
    for statement in ("DROP TABLE releases", "DROP TABLE rate_limit", "PRAGMA user_version = 1"):
        execute(path, statement)
    store = reopened(path)
    store.save_releases({"core": "answer"})
    store.save_rate_limit("limit")
    assert (list(store), store.saved_releases(), store.saved_rate_limit()) == (
        [record(1)],
        {"core": b"answer"},
        b"limit",
    )


def test_store_keeps_the_releases_and_the_rate_limit_across_a_restart(path):
    """Both are replaced as a whole."""
    store = reopened(path)
    for answer in ("old", "new"):
        store.save_releases({f"{answer} component": answer})
        store.save_rate_limit(answer)
    assert (reopened(path).saved_releases(), reopened(path).saved_rate_limit()) == ({"new component": b"new"}, b"new")


def test_store_reports_a_path_where_it_cannot_be_created(tmp_path):
    """The error has SQLite's cause."""
    with pytest.raises(StoreError, match="unable to open database file"):
        reopened(tmp_path / "missing" / "state.sqlite")


@pytest.mark.parametrize("removal", ["removed", "replaced", "folder moved"])
def test_store_rejects_writes_to_a_removed_file(tmp_path, removal):
    """The data would be lost at the next start; it is not kept in memory either."""
    folder = tmp_path / "state"
    folder.mkdir()
    store = reopened(folder / "state.sqlite")
    store.save(record(1))
    if removal == "folder moved":
        folder.rename(tmp_path / "elsewhere")
    else:
        (folder / "state.sqlite").unlink()
        if removal == "replaced":
            reopened(folder / "state.sqlite").close()
    with pytest.raises(StoreError, match="cannot use"):
        store.save(record(2))
    assert list(store) == [record(1)]


def test_store_prunes_the_oldest_answered_records(path):
    """A record without an answer is never deleted; a record with a local outcome may be."""
    store = reopened(path, history=2)
    for saved in (record(1), record(2, answered(is_final=False)), *(record(n, answered()) for n in (3, 4))):
        store.save(saved)
    store.prune()
    expected = ["id-1", "id-3", "id-4"]
    assert [kept.request_id for kept in store] == expected
    assert [kept.request_id for kept in reopened(path)] == expected


def test_store_reserves_event_numbers_across_restarts(path):
    """Each reservation starts after the previous one."""
    assert reopened(path).reserve_event_numbers(5) == 5
    assert reopened(path).reserve_event_numbers(2) == 7


def test_store_reserves_event_numbers_after_their_row_is_deleted(path):
    """A deleted row is not an error: numbering restarts."""
    reopened(path).reserve_event_numbers(5)
    execute(path, "DELETE FROM event_numbers")
    assert reopened(path).reserve_event_numbers(5) == 5


def test_store_writes_durably(path, tmp_path):
    """With a rollback journal, only EXTRA syncs the folder after a commit has deleted the journal."""
    store = reopened(path)
    connection = store._database._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (3,)  # EXTRA
    assert connection.execute("PRAGMA journal_mode").fetchone() == (b"delete",)
    store.save(record(1))
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.sqlite"]


def test_recorded_answer_keeps_the_end_of_the_output():
    """The record has the end of each stream; the host keeps the rest."""
    streams = {"output": "x" * 20_000 + "the end", "error": "y" * 20_000 + "its reason"}
    answer = RecordedAnswer.from_status(final("id-1").model_copy(update=streams), is_late=False)
    assert (len(answer.output), len(answer.error)) == (OUTPUT_CHARACTERS, OUTPUT_CHARACTERS)
    assert (answer.output[-7:], answer.error[-10:]) == ("the end", "its reason")


@pytest.mark.parametrize(("answer", "is_open"), [(None, True), (answered(is_final=False), True), (answered(), False)])
def test_submission_record_is_open_until_the_coordinator_answers(answer, is_open):
    """A local outcome does not close a record, because the coordinator's answer may replace it."""
    assert record(1, answer).is_open is is_open
