"""What the journal keeps and tells."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from fsm_story import NOON

from fsm.errors import AlreadyKnownError, JournalRefusedError
from fsm.records import RecoveryRecord, TransitionFacts
from fsm.recovery import RecoveryAction
from fsm.transition_table import Event, Transition
from protocol.types import Action, ExitKind, Reason, State, UnknownValue


def test_a_request_is_read_back_as_it_was_written(story, journal):
    """Every field survives."""
    story.run("a", rollback_of="z", action=Action.ROLLBACK)
    record = journal.get("a")
    assert (record.state, record.reason, record.message) == (State.SUCCEEDED, None, "so it ended")
    assert (record.action, record.rollback_of, record.settled_at, record.requested_at) == ("rollback", "z", NOON, NOON)
    assert [(move.event, move.dest) for move in journal.transitions("a")] == [
        ("accept", "validated"),
        ("start", "running"),
        ("succeed", "succeeded"),
    ]


def test_an_attempt_is_read_back_as_it_was_written(story, journal):
    """The process identity noted in between survives the end that does not know it."""
    story.admit("a")
    begun = story.attempt("a")
    journal.advance(None, begun)
    journal.identify("a", 1, 42, 4711)
    over = replace(begun, ending=ExitKind.EXITED, exit_code=3, seconds=1.5, ended_at=NOON, output="o", error="e")
    journal.advance(over, None)
    assert journal.attempts("a") == [replace(over, pid=42, start_ticks=4711)]
    assert journal.open_attempt("a") is None


def test_what_restarts_found_is_read_back_in_order(story, journal):
    """Every time, however often the same run is found; also of a run whose journal was closed in between."""
    story.admit("a")
    journal.advance(None, story.attempt("a"))
    later = NOON + timedelta(hours=1)
    journal.record_recovery("a", 1, later, "alive", RecoveryAction.ADOPT)
    journal.record_recovery("a", 1, NOON, "unknown", RecoveryAction.INTERRUPT)
    assert journal.recoveries("a") == [
        RecoveryRecord("a", 1, later, "alive", RecoveryAction.ADOPT),
        RecoveryRecord("a", 1, NOON, "unknown", RecoveryAction.INTERRUPT),
    ]
    assert journal.recoveries("b") == []


def test_what_a_restart_found_can_be_noted_of_every_run_that_is_known(story, journal):
    """Also of one that is over or settled: a note never stops the work; of an unknown run it would be a defect."""
    story.run("a")
    journal.record_recovery("a", 1, NOON, "ended", RecoveryAction.COLLECT)
    for unknown in (("a", 2), ("b", 1)):
        with pytest.raises(JournalRefusedError):
            journal.record_recovery(*unknown, NOON, "ended", RecoveryAction.COLLECT)


def test_what_a_restart_found_costs_no_fsync(story, journal, monkeypatch):
    """Nothing is decided by it, so a power cut may take it."""
    story.run("a")
    kinds = []
    transaction = journal.transaction
    monkeypatch.setattr(
        journal, "transaction", lambda *, durable=True: kinds.append(durable) or transaction(durable=durable)
    )
    journal.record_recovery("a", 1, NOON, "ended", RecoveryAction.COLLECT)
    assert kinds == [False]


def test_an_id_is_admitted_once(story):
    """The second admission of an id is refused (I7)."""
    story.admit("a")
    with pytest.raises(AlreadyKnownError):
        story.admit("a")


def test_known_ids_are_found_whatever_their_number(story, journal):
    """More ids than one statement takes are asked in chunks."""
    story.admit("a")
    assert journal.existing_ids([f"x{n}" for n in range(1200)] + ["a"]) == {"a"}


def test_half_a_surrogate_pair_is_written_as_a_question_mark(journal):
    """What JSON may smuggle in cannot keep a refusal from being recorded."""
    journal.insert("a", "\ud800", None, None, None, NOON)
    assert journal.get("a").component == "?"


def test_a_rollback_keeps_the_reason_of_the_failure(story, journal):
    """A request that was rolled back still says why it failed."""
    story.admit("a")
    story.fire("a", Event.ACCEPT, Event.START)
    story.fire("a", Event.FAIL, reason=Reason.TIMEOUT, message="too long")
    story.fire("a", Event.ROLL_BACK, message="back", settles=True)
    assert (journal.get("a").reason, journal.get("a").message) == (Reason.TIMEOUT, "back")


def test_a_move_that_is_refused_leaves_its_attempts_unwritten(story, journal):
    """Move and attempts are one transaction."""
    story.admit("a")
    with pytest.raises(JournalRefusedError):
        journal.record_transition(
            "a",
            Transition(Event.START, State.VALIDATED, State.RUNNING),
            TransitionFacts(NOON, begin=story.attempt("a")),
        )
    assert journal.attempts("a") == []


def test_what_has_begun_is_due_before_what_came_first(story, journal):
    """Running before waiting, then the order of arrival; other components never."""
    for name in ("first", "second", "begun"):
        story.admit(name)
    story.admit("other", component="core")
    story.fire("begun", Event.ACCEPT, Event.START)
    assert journal.next_due(["remote"], uptime_s=0).request_id == "begun"
    story.fire("begun", Event.SUCCEED, settles=True)
    assert journal.next_due({"remote"}, uptime_s=0).request_id == "first"
    assert journal.next_due([], uptime_s=0) is None
    assert [record.request_id for record in journal.orphaned(["remote"])] == ["other"]
    assert journal.counts() == {State.RECEIVED: 3}


def test_an_answer_is_unpublished_until_it_is_marked(story, journal):
    """Settled answers are listed, oldest first, until they are out."""
    story.run("a")
    story.run("b", last=Event.FAIL)
    assert [record.request_id for record in journal.unpublished(10)] == ["a", "b"]
    journal.mark_published("a")
    assert [record.request_id for record in journal.unpublished(10)] == ["b"]


def test_resumes_are_counted(story, journal):
    """Each count tells the new number (I9)."""
    story.admit("a")
    assert [journal.count_resume("a"), journal.count_resume("a")] == [1, 2]


def test_what_nobody_admitted_cannot_be_noted(journal):
    """A change that meets no row is a defect, not a success."""
    with pytest.raises(JournalRefusedError, match="no such request"):
        journal.mark_published("nobody")


def test_history_is_newest_first(story, journal):
    """Of all components, or of one."""
    for name, component in (("a", "remote"), ("b", "core"), ("c", "remote")):
        story.admit(name, component)
    assert [record.request_id for record in journal.history(2)] == ["c", "b"]
    assert [record.request_id for record in journal.history(9, "remote")] == ["c", "a"]


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (lambda story: None, "old"),
        (lambda story: story.run("new"), "new"),
        (lambda story: story.run("new", last=Event.FAIL), "new"),
        (lambda story: story.run("new", last=Event.FAIL, ending=ExitKind.NOT_STARTED), "old"),
        (lambda story: story.run("new", component="core"), "old"),
        (lambda story: story.run("health", action=Action.HEALTH), "old"),
        (lambda story: story.admit("waiting"), "old"),
        (lambda story: story.run("undo", action=Action.ROLLBACK, rollback_of="old"), "older"),
        (lambda story: story.run("undo", last=Event.FAIL, action=Action.ROLLBACK, rollback_of="old"), "old"),
    ],
)
def test_the_last_update_is_the_one_a_rollback_would_undo(story, journal, then, expected):
    """It ran, it was not rolled back, and nothing undid it since (I8)."""
    story.run("older")
    story.run("old")
    then(story)
    assert journal.last_update("remote") == expected


def test_a_rolled_back_update_is_not_the_last_one(story, journal):
    """What restored itself needs no undoing."""
    story.admit("a")
    story.fire("a", Event.ACCEPT)
    story.fire("a", Event.START, begin=story.attempt("a", ending=ExitKind.EXITED, exit_code=1))
    story.fire("a", Event.FAIL, Event.ROLL_BACK)
    assert journal.last_update("remote") is None


def test_pruning_takes_what_is_old_and_published(story, journal):
    """Age is running time since the latest answer; what is young or unpublished stays; rows go with their request."""
    for name in ("old", "unread", "repeated"):
        story.run(name)
        journal.record_recovery(name, 1, NOON, "ended", RecoveryAction.COLLECT)
    story.admit("open")
    for name in ("old", "repeated"):
        journal.mark_published(name)
    journal.add_uptime(100)
    story.run("young")
    for name in ("young", "repeated"):
        journal.mark_published(name)
    assert journal.uptime() == 100
    assert journal.prune(50, limit=10) == 1
    young = {"unread", "repeated", "open", "young"}
    assert journal.existing_ids(["old", *young]) == young
    assert journal.attempts("old") == journal.transitions("old") == journal.recoveries("old") == []
    assert journal.recoveries("unread") != []


def test_pruning_stops_at_its_limit(story, journal):
    """One batch at a time, so that others get at the journal in between."""
    for name in "abc":
        story.run(name)
        journal.mark_published(name)
    assert [journal.prune(1, limit=2), journal.prune(1, limit=2)] == [2, 1]


def test_threads_share_one_journal_and_one_machine(story, journal):
    """Many requests at once, each with a complete history."""
    names = [f"r{n}" for n in range(40)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(story.run, names))
    assert all(journal.get(name).state is State.SUCCEEDED for name in names)
    assert all(len(journal.transitions(name)) == 3 for name in names)


def test_no_question_scans_all_requests(journal, monkeypatch):
    """Whatever history holds, each question finds its rows by an index (I12)."""
    plans = []
    read = journal.database.read
    monkeypatch.setattr(
        journal.database, "read", lambda sql, values=(): plans.append((sql, values)) or read(sql, values)
    )
    journal.next_due(["a", "b"], uptime_s=0)
    journal.next_due_uptime(["a", "b"], uptime_s=0)
    journal.failures("a")
    journal.orphaned(["a"])
    journal.unpublished(5)
    journal.counts()
    journal.history(5, "a")
    journal.last_update("a")
    journal.existing_ids(["a"])
    journal.recoveries("a")
    details = [row["detail"] for sql, values in plans for row in read(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert [detail for detail in details if detail.startswith("SCAN") and " INDEX " not in detail] == []


def test_next_due_leaves_out_what_is_deferred(story, journal):
    """A deferred request is due when the running time says so; what was admitted later goes first meanwhile."""
    for name in ("deferred", "later"):
        story.admit(name)
        story.fire(name, Event.ACCEPT)
    journal.defer("deferred", NOON, 100.0, "waits for its window")
    assert journal.next_due(["remote"], uptime_s=99).request_id == "later"
    assert journal.next_due_uptime(["remote"], uptime_s=99) == 100.0
    assert journal.next_due(["remote"], uptime_s=100).request_id == "deferred"
    assert journal.next_due_uptime(["remote"], uptime_s=100) is None
    record = journal.get("deferred")
    assert (record.due_uptime, record.deferred_at, record.deferred_why) == (100.0, NOON, "waits for its window")


def test_next_due_skips_what_the_caller_names(story, journal):
    """A row that cannot be handled does not hide the rows after it (I16)."""
    for name in ("begun", "first", "second"):
        story.admit(name)
    story.fire("begun", Event.ACCEPT, Event.START)
    assert journal.next_due(["remote"], uptime_s=0, skip={"begun"}).request_id == "first"
    assert journal.next_due(["remote"], uptime_s=0, skip={"begun", "first"}).request_id == "second"


def test_a_settled_request_is_deferred_no_more(story, journal):
    """What is settled never changes (I1)."""
    story.run("a")
    with pytest.raises(JournalRefusedError):
        journal.defer("a", NOON, 1.0, "too late")


def test_failures_are_counted_and_read_back(story, journal):
    """Each count includes the new one; a long error is cut (I16)."""
    story.admit("a")
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
def test_a_row_of_unknown_values_is_read(journal, values):
    """A newer release, or a person, may have written it: it decodes to explicit unknowns, never to an exception."""
    journal.database.write(INSERT, values)
    for record in (journal.get("x1"), journal.next_due(["core"], uptime_s=0), *journal.history(1)):
        assert (record.request_id, record.state) == ("x1", State.RECEIVED)
        assert record.action in {Action.UPDATE, UnknownValue("cancel"), UnknownValue("7")}
        assert isinstance(record.received_at, datetime)


def test_unknown_values_of_history_are_read(story, journal):
    """Events, states, reasons, endings and recoveries that this release does not know keep their text."""
    story.run("a")
    write = journal.database.write
    write("INSERT INTO moves VALUES ('pause', 'received', 'paused', 1)")
    write("DROP TRIGGER transition_is_legal")
    write("DROP TRIGGER transition_is_applied")
    write("DROP TRIGGER ended_attempts_stay")
    write("INSERT INTO transitions VALUES ('a', 'pause', 'received', 'paused', 'noon', 'held', 'm')")
    write("UPDATE attempts SET ending = 'vanished', state = 'paused', started_at = 'noon'")
    write("INSERT INTO resumptions VALUES ('a', 1, 'noon', 'dreaming', 'wake')")
    move = journal.transitions("a")[-1]
    assert (move.event, move.source, move.dest, move.reason) == ("pause", State.RECEIVED, "paused", "held")
    assert (journal.attempts("a")[0].ending, journal.attempts("a")[0].state) == ("vanished", "paused")
    assert (journal.recoveries("a")[0].probe, journal.recoveries("a")[0].action) == ("dreaming", "wake")
