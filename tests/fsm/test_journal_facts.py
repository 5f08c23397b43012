"""What the journal records and returns."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from journal_writer import NOON

from fsm.errors import AlreadyKnownError, JournalRefusedError
from fsm.records import RecoveryRecord, TransitionFacts
from fsm.recovery import RecoveryAction
from fsm.transition_table import Event, Transition
from protocol.types import Action, ExitKind, Reason, State, UnknownValue


def test_journal_reads_a_request_back_unchanged(writer, journal):
    """Every field keeps its value."""
    writer.run("a", rollback_of="z", action=Action.ROLLBACK)
    record = journal.get("a")
    assert (record.state, record.reason, record.message) == (State.SUCCEEDED, None, "script ended")
    assert (record.action, record.rollback_of, record.settled_at, record.requested_at) == ("rollback", "z", NOON, NOON)
    assert [(transition.event, transition.dest) for transition in journal.transitions("a")] == [
        ("accept", "validated"),
        ("start", "running"),
        ("succeed", "succeeded"),
    ]


def test_journal_reads_an_attempt_back_unchanged(writer, journal):
    """The end of an attempt keeps the process id that was recorded before, even if it does not contain it."""
    writer.admit("a")
    begun = writer.attempt("a")
    journal.advance(None, begun)
    journal.identify("a", 1, 42, 4711)
    ended = replace(begun, ending=ExitKind.EXITED, exit_code=3, seconds=1.5, ended_at=NOON, output="o", error="e")
    journal.advance(ended, None)
    assert journal.attempts("a") == [replace(ended, pid=42, start_ticks=4711)]
    assert journal.open_attempt("a") is None


def test_journal_reads_recoveries_back_in_order(writer, journal):
    """Each recovery has its own row, even if several concern the same run."""
    writer.admit("a")
    journal.advance(None, writer.attempt("a"))
    later = NOON + timedelta(hours=1)
    journal.record_recovery("a", 1, later, "alive", RecoveryAction.ADOPT)
    journal.record_recovery("a", 1, NOON, "unknown", RecoveryAction.INTERRUPT)
    assert journal.recoveries("a") == [
        RecoveryRecord("a", 1, later, "alive", RecoveryAction.ADOPT),
        RecoveryRecord("a", 1, NOON, "unknown", RecoveryAction.INTERRUPT),
    ]
    assert journal.recoveries("b") == []


def test_journal_records_a_recovery_for_every_known_run(writer, journal):
    """A run that is ended or settled is accepted, so that the work continues; an unknown run is a defect."""
    writer.run("a")
    journal.record_recovery("a", 1, NOON, "ended", RecoveryAction.COLLECT)
    for unknown in (("a", 2), ("b", 1)):
        with pytest.raises(JournalRefusedError):
            journal.record_recovery(*unknown, NOON, "ended", RecoveryAction.COLLECT)


def test_journal_records_a_recovery_without_fsync(writer, journal, monkeypatch):
    """No decision depends on it, so a power cut may lose it."""
    writer.run("a")
    durabilities = []
    transaction = journal.transaction
    monkeypatch.setattr(
        journal, "transaction", lambda *, durable=True: durabilities.append(durable) or transaction(durable=durable)
    )
    journal.record_recovery("a", 1, NOON, "ended", RecoveryAction.COLLECT)
    assert durabilities == [False]


def test_journal_admits_an_id_once(writer):
    """A second admission of the id is rejected (I7)."""
    writer.admit("a")
    with pytest.raises(AlreadyKnownError):
        writer.admit("a")


def test_existing_ids_accepts_any_number_of_ids(writer, journal):
    """More ids than one statement can hold are queried in chunks."""
    writer.admit("a")
    assert journal.existing_ids([f"x{n}" for n in range(1200)] + ["a"]) == {"a"}


def test_journal_replaces_a_lone_surrogate(journal):
    """A lone surrogate from JSON must not prevent a rejection from being recorded."""
    journal.insert("a", "\ud800", None, None, None, NOON)
    assert journal.get("a").component == "?"


def test_journal_keeps_the_reason_of_the_failure_after_a_rollback(writer, journal):
    """A request that was rolled back keeps the reason of its failure."""
    writer.admit("a")
    writer.fire("a", Event.ACCEPT, Event.START)
    writer.fire("a", Event.FAIL, reason=Reason.TIMEOUT, message="too long")
    writer.fire("a", Event.ROLL_BACK, message="back", settles=True)
    assert (journal.get("a").reason, journal.get("a").message) == (Reason.TIMEOUT, "back")


def test_rejected_transition_records_no_attempt(writer, journal):
    """Transition and attempts are one transaction."""
    writer.admit("a")
    with pytest.raises(JournalRefusedError):
        journal.record_transition(
            "a",
            Transition(Event.START, State.VALIDATED, State.RUNNING),
            TransitionFacts(NOON, begin=writer.attempt("a")),
        )
    assert journal.attempts("a") == []


def test_next_due_prefers_a_request_that_has_begun(writer, journal):
    """Requests that have begun come first, then the order of arrival; other components are left out."""
    for name in ("first", "second", "begun"):
        writer.admit(name)
    writer.admit("other", component="core")
    writer.fire("begun", Event.ACCEPT, Event.START)
    assert journal.next_due(["remote"], uptime_s=0).request_id == "begun"
    writer.fire("begun", Event.SUCCEED, settles=True)
    assert journal.next_due({"remote"}, uptime_s=0).request_id == "first"
    assert journal.next_due([], uptime_s=0) is None
    assert [record.request_id for record in journal.unconfigured(["remote"])] == ["other"]
    assert journal.counts() == {State.RECEIVED: 3}


def test_unpublished_lists_answers_until_they_are_marked(writer, journal):
    """Settled answers are listed, oldest first, until they are published."""
    writer.run("a")
    writer.run("b", last=Event.FAIL)
    assert [record.request_id for record in journal.unpublished(10)] == ["a", "b"]
    journal.mark_published("a")
    assert [record.request_id for record in journal.unpublished(10)] == ["b"]


def test_count_resume_returns_the_new_number(writer, journal):
    """Each call returns the new number (I9)."""
    writer.admit("a")
    assert [journal.count_resume("a"), journal.count_resume("a")] == [1, 2]


def test_mark_published_rejects_an_unknown_request(journal):
    """A change that affects no row is a defect, not a success."""
    with pytest.raises(JournalRefusedError, match="no such request"):
        journal.mark_published("unknown")


def test_history_lists_the_newest_first(writer, journal):
    """For all components or for one."""
    for name, component in (("a", "remote"), ("b", "core"), ("c", "remote")):
        writer.admit(name, component)
    assert [record.request_id for record in journal.history(2)] == ["c", "b"]
    assert [record.request_id for record in journal.history(9, "remote")] == ["c", "a"]


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (lambda writer: None, "old"),
        (lambda writer: writer.run("new"), "new"),
        (lambda writer: writer.run("new", last=Event.FAIL), "new"),
        (lambda writer: writer.run("new", last=Event.FAIL, ending=ExitKind.NOT_STARTED), "old"),
        (lambda writer: writer.run("new", component="core"), "old"),
        (lambda writer: writer.run("health", action=Action.HEALTH), "old"),
        (lambda writer: writer.admit("waiting"), "old"),
        (lambda writer: writer.run("undo", action=Action.ROLLBACK, rollback_of="old"), "older"),
        (lambda writer: writer.run("undo", last=Event.FAIL, action=Action.ROLLBACK, rollback_of="old"), "old"),
    ],
)
def test_last_update_is_the_one_that_a_rollback_reverts(writer, journal, then, expected):
    """The last update ran, was not rolled back, and was not reverted by a later rollback (I8)."""
    writer.run("older")
    writer.run("old")
    then(writer)
    assert journal.last_update("remote") == expected


def test_last_update_skips_a_rolled_back_update(writer, journal):
    """An update that was rolled back needs no rollback."""
    writer.admit("a")
    writer.fire("a", Event.ACCEPT)
    writer.fire("a", Event.START, begin=writer.attempt("a", ending=ExitKind.EXITED, exit_code=1))
    writer.fire("a", Event.FAIL, Event.ROLL_BACK)
    assert journal.last_update("remote") is None


def test_prune_removes_old_published_requests(writer, journal):
    """Age is running time since the latest answer; young or unpublished requests stay; child rows are removed too."""
    for name in ("old", "unread", "repeated"):
        writer.run(name)
        journal.record_recovery(name, 1, NOON, "ended", RecoveryAction.COLLECT)
    writer.admit("open")
    for name in ("old", "repeated"):
        journal.mark_published(name)
    journal.add_uptime(100)
    writer.run("young")
    for name in ("young", "repeated"):
        journal.mark_published(name)
    assert journal.uptime() == 100
    assert journal.prune(50, limit=10) == 1
    young = {"unread", "repeated", "open", "young"}
    assert journal.existing_ids(["old", *young]) == young
    assert journal.attempts("old") == journal.transitions("old") == journal.recoveries("old") == []
    assert journal.recoveries("unread") != []


def test_prune_stops_at_its_limit(writer, journal):
    """Each call removes one batch, so that other threads can use the journal in between."""
    for name in "abc":
        writer.run(name)
        journal.mark_published(name)
    assert [journal.prune(1, limit=2), journal.prune(1, limit=2)] == [2, 1]


def test_journal_and_machine_are_shared_by_threads(writer, journal):
    """Forty concurrent requests each get a complete history."""
    names = [f"r{n}" for n in range(40)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(writer.run, names))
    assert all(journal.get(name).state is State.SUCCEEDED for name in names)
    assert all(len(journal.transitions(name)) == 3 for name in names)


def test_queries_use_an_index(journal, monkeypatch):
    """Each query finds its rows by an index, for a history of any length (I12)."""
    plans = []
    read = journal.database.read
    monkeypatch.setattr(
        journal.database, "read", lambda sql, values=(): plans.append((sql, values)) or read(sql, values)
    )
    journal.next_due(["a", "b"], uptime_s=0)
    journal.next_due_uptime(["a", "b"], uptime_s=0)
    journal.failures("a")
    journal.unconfigured(["a"])
    journal.unpublished(5)
    journal.counts()
    journal.history(5, "a")
    journal.last_update("a")
    journal.existing_ids(["a"])
    journal.recoveries("a")
    details = [row["detail"] for sql, values in plans for row in read(f"EXPLAIN QUERY PLAN {sql}", values)]
    scans = [detail for detail in details if detail.startswith("SCAN") and " INDEX " not in detail]
    assert [detail for detail in scans if "VIRTUAL TABLE" not in detail and "CONSTANT ROW" not in detail] == []


def test_next_due_builds_no_temporary_table(journal, monkeypatch):
    """What runs between two requests: memory that is allocated and freed each time costs more than the query."""
    statements = []
    read = journal.database.read
    monkeypatch.setattr(journal.database, "read", lambda sql, values=(): statements.append((sql, values)) or [])
    journal.next_due(["a", "b"], uptime_s=0)
    journal.open_ids(["a"])
    opcodes = {row["opcode"] for sql, values in statements for row in read(f"EXPLAIN {sql}", values)}
    assert "SeekRowid" in opcodes
    assert not {opcode for opcode in opcodes if opcode in {"OpenEphemeral", "OpenAutoindex", "SorterOpen"}}


def test_next_due_leaves_out_deferred_requests(writer, journal):
    """A deferred request becomes due by running time; a later request is handled meanwhile."""
    for name in ("deferred", "later"):
        writer.admit(name)
        writer.fire(name, Event.ACCEPT)
    journal.defer("deferred", NOON, 100.0, "waits for its window")
    assert journal.next_due(["remote"], uptime_s=99).request_id == "later"
    assert journal.next_due_uptime(["remote"], uptime_s=99) == 100.0
    assert journal.next_due(["remote"], uptime_s=100).request_id == "deferred"
    assert journal.next_due_uptime(["remote"], uptime_s=100) is None
    record = journal.get("deferred")
    assert (record.due_uptime, record.deferred_at, record.deferred_why) == (100.0, NOON, "waits for its window")


def test_next_due_skips_the_given_rows(writer, journal):
    """A row that cannot be handled does not hide the rows after it (I16)."""
    for name in ("begun", "first", "second"):
        writer.admit(name)
    writer.fire("begun", Event.ACCEPT, Event.START)
    skip = {journal.get("begun").row}
    assert journal.next_due(["remote"], uptime_s=0, skip=skip).request_id == "first"
    skip.add(journal.get("first").row)
    assert journal.next_due(["remote"], uptime_s=0, skip=skip).request_id == "second"


def test_defer_rejects_a_settled_request(writer, journal):
    """A settled request never changes (I1)."""
    writer.run("a")
    with pytest.raises(JournalRefusedError):
        journal.defer("a", NOON, 1.0, "too late")


def test_record_failure_counts_and_truncates(writer, journal):
    """Each returned count includes the new failure; a long error is truncated (I16)."""
    writer.admit("a")
    counts = [journal.record_failure("a", NOON, error) for error in ("OSError: no", "x" * 9999)]
    assert counts == [1, 2]
    assert [(one.at, one.error) for one in journal.failures("a")] == [(NOON, "OSError: no"), (NOON, "x" * 500)]


INSERT = "INSERT INTO requests (id, component, action, received_at, requested_at, state) VALUES (?, ?, ?, ?, ?, ?)"


@pytest.mark.parametrize(
    "values",
    [
        ("x1", "core", "cancel", "2026-01-01T00:00:00+00:00", None, "received"),
        ("x1", "core", 7, "2026-01-01T00:00:00+00:00", None, "received"),
        ("x1", "core", "update", "yesterday", "tomorrow", "received"),
        ("x1", "core", "update", 0, 1.5, "received"),
    ],
)
def test_journal_reads_a_row_with_unknown_values(journal, values):
    """Values of a newer release or a manual edit become explicit unknown values, never an exception."""
    journal.database.write(INSERT, values)
    for record in (journal.get("x1"), journal.next_due(["core"], uptime_s=0), *journal.history(1)):
        assert (record.request_id, record.state) == ("x1", State.RECEIVED)
        assert record.action in {Action.UPDATE, UnknownValue("cancel"), UnknownValue("7")}
        assert isinstance(record.received_at, datetime)


TEXTS = ("component", "version", "message", "rollback_of", "deferred_why")
ATTEMPT_TEXTS = ("script", "boot_id", "output", "error")


@pytest.mark.parametrize("value", [b"\xff", b"1.2.3", "text", 7, 1.5, float("inf")], ids=repr)
def test_journal_returns_every_field_with_the_type_of_its_record(writer, journal, value):
    """SQLite stores any type in any column; what a field cannot hold is replaced, never passed on (I16)."""
    writer.run("a")
    write = journal.database.write
    write("DROP TRIGGER settled_requests_stay")
    write("DROP TRIGGER ended_attempts_stay")
    for column in (*TEXTS, "resumes", "due_uptime", "requested_at", "received_at", "deferred_at"):
        write(f"UPDATE requests SET {column} = ?", (value,))  # noqa: S608  constants
    for column in (*ATTEMPT_TEXTS, "started_monotonic", "pid", "start_ticks", "seconds", "ending", "exit_code"):
        write(f"UPDATE attempts SET {column} = ?", (value,))  # noqa: S608  constants
    write("INSERT INTO failures VALUES ('a', ?, ?)", (value, value))
    (record,), (attempt,), (failure,) = journal.history(1), journal.attempts("a"), journal.failures("a")
    assert all(isinstance(getattr(record, name), str) for name in TEXTS)
    assert all(isinstance(getattr(attempt, name), str) for name in (*ATTEMPT_TEXTS, "ending"))
    assert isinstance(failure.error, str)
    assert all(isinstance(each, datetime) for each in (record.received_at, attempt.started_at, failure.at))
    assert isinstance(record.resumes, int)
    for number in (record.due_uptime, attempt.seconds, attempt.started_monotonic):
        assert number is None or math.isfinite(number)
    assert {type(attempt.pid), type(attempt.start_ticks), type(attempt.exit_code)} <= {int, type(None)}


def test_journal_reads_history_with_unknown_values(writer, journal):
    """Unknown events, states, reasons, exit kinds and recoveries keep their text."""
    writer.run("a")
    write = journal.database.write
    write("INSERT INTO moves VALUES ('pause', 'received', 'paused', 1)")
    write("DROP TRIGGER transition_is_legal")
    write("DROP TRIGGER transition_is_applied")
    write("DROP TRIGGER ended_attempts_stay")
    write("INSERT INTO transitions VALUES ('a', 'pause', 'received', 'paused', 'noon', 'held', 'm')")
    write("UPDATE attempts SET ending = 'vanished', state = 'paused', started_at = 'noon'")
    write("INSERT INTO resumptions VALUES ('a', 1, 'noon', 'dreaming', 'wake')")
    transition = journal.transitions("a")[-1]
    assert (transition.event, transition.source, transition.dest, transition.reason) == (
        "pause",
        State.RECEIVED,
        "paused",
        "held",
    )
    assert (journal.attempts("a")[0].ending, journal.attempts("a")[0].state) == ("vanished", "paused")
    assert (journal.recoveries("a")[0].probe, journal.recoveries("a")[0].action) == ("dreaming", "wake")
