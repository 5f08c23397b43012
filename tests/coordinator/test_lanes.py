"""Lanes: which request runs next, and how one that always fails ends (I10, I16)."""

from __future__ import annotations

import threading
from math import inf
from pathlib import Path

import pytest

from coordinator.lanes import MAX_FAILURES, Lanes
from coordinator.policy_gate import PolicyGate
from coordinator.runner import Runner
from coordinator.settings import Component, Settings
from coordinator.wakeup import Wakeup
from fsm.errors import JournalDamagedError, JournalUnavailableError
from fsm.journal import Journal
from fsm.machine import RequestMachine
from fsm.records import TransitionFacts
from fsm.transition_table import Event
from policy.rules import RULES
from protocol.types import Action, ProbeResult, Reason, State
from tests.support.coordinator_parts import RecordingRequestObserver, ScriptedExecutor, make_runtime
from tests.support.manual_clock import ManualClock

DEADLINE_S = 60.0
INSERT = "INSERT INTO requests (id, component, action, received_at, state) VALUES (?, ?, ?, ?, ?)"


class LanesFixture:
    """Lanes on a real journal: core has its own lock; scheduler and remote share one."""

    def __init__(self, folder):
        self.clock = ManualClock()
        self.journal = Journal.open(folder / "journal.db")
        self.machine = RequestMachine(self.journal)
        self.executor = ScriptedExecutor()
        self.observer = RecordingRequestObserver()
        self.runtime = make_runtime(self.journal, self.clock)
        settings = Settings(
            components={
                "core": Component(directory=Path("/opt/core")),
                "scheduler": Component(directory=Path("/opt/scheduler"), lock="compose"),
                "remote": Component(directory=Path("/opt/remote"), lock="compose"),
            }
        )
        gate = PolicyGate(RULES, frozenset(settings.components), self.clock, self.runtime.running_time)
        runner = Runner(settings, self.machine, self.executor, gate, self.observer, self.runtime)
        self.lanes = Lanes(settings.lanes, self.machine, runner, self.runtime, Wakeup)

    def admit(self, request_id, component="core", action=Action.HEALTH):
        now = self.clock.utc()
        record = self.journal.insert(request_id, component, action, "1.0.0", now, now)
        return self.machine.fire(record, Event.ACCEPT, TransitionFacts(now))

    def drain(self, lock="core"):
        """Run the lane until nothing is due, failures included."""
        for _ in range(100):
            if self.lanes.run_next(lock) is None:
                return
        raise AssertionError("the lane still has a due request after 100 runs")


FIXTURE = LanesFixture


def test_run_next_runs_the_oldest_request_of_its_lock(fixture):
    """Components that share a lock share a queue; requests of other locks are not considered."""
    for name, component in (("a", "remote"), ("b", "core"), ("c", "scheduler")):
        fixture.admit(name, component)
    assert [fixture.lanes.run_next("compose") for _ in range(3)] == [0.0, 0.0, None]
    assert [event for event in fixture.observer.seen if event[0] == "settled"] == [
        ("settled", "a succeeded"),
        ("settled", "c succeeded"),
    ]


def test_run_next_returns_the_time_until_a_deferred_request_is_due(fixture):
    """The lane sleeps until then, and runs the request when its running time has come."""
    fixture.admit("a")
    fixture.journal.defer("a", fixture.clock.utc(), 30.0, "waits")
    assert fixture.lanes.run_next("core") == pytest.approx(30.0)
    fixture.clock.sleep(30.0)
    assert fixture.lanes.run_next("core") == 0.0
    assert fixture.journal.get("a").state is State.SUCCEEDED


@pytest.mark.parametrize(
    "row",
    [
        ("x1", "core", "cancel", "2026-01-01T00:00:00+00:00", "received"),
        ("x1", "core", None, "2026-01-01T00:00:00+00:00", "received"),
        ("x1", "core", "update", "yesterday", "received"),
    ],
)
def test_lane_settles_a_row_that_cannot_be_run(fixture, row):
    """After ``MAX_FAILURES`` unexpected errors the request fails with internal_error; the next one is answered."""
    fixture.journal.database.write(INSERT, row)
    fixture.admit("good")
    fixture.drain()
    assert (fixture.journal.get("x1").state, fixture.journal.get("x1").reason) == (State.FAILED, Reason.INTERNAL_ERROR)
    assert "update-coordinator explain x1" in fixture.journal.get("x1").message
    assert len(fixture.journal.failures("x1")) == MAX_FAILURES
    assert fixture.journal.get("good").state is State.SUCCEEDED


@pytest.mark.parametrize("column", ["version", "requested_at", "deferred_why"])
def test_lane_answers_a_row_whose_text_is_not_utf_8(fixture, column):
    """Such bytes are replaced when they are read: they stop neither their own request nor the next one."""
    fixture.admit("x1")
    fixture.journal.database.write(f"UPDATE requests SET {column} = CAST(x'31ff' AS TEXT)")  # noqa: S608  constants
    fixture.admit("good")
    fixture.drain()
    assert {fixture.journal.get(name).state for name in ("x1", "good")} == {State.SUCCEEDED}


@pytest.mark.parametrize("request_id", ["CAST(x'78ff' AS TEXT)", "x'7831'"])
def test_lane_skips_a_row_whose_id_cannot_be_looked_up(fixture, request_id):
    """It can be neither run nor settled; the requests after it are answered (I16)."""
    insert = "INSERT INTO requests (id, component, action, received_at, state) VALUES"
    fixture.journal.database.write(
        f"{insert} ({request_id}, 'core', 'health', '2026-01-01T00:00:00+00:00', 'received')"
    )
    fixture.admit("good")
    fixture.drain()
    assert fixture.journal.get("good").state is State.SUCCEEDED


@pytest.mark.parametrize("due", ["soon", b"soon"])
def test_lane_runs_a_request_whose_due_time_is_no_number(fixture, due):
    """The request is due: a wait without an end would leave it without an answer."""
    fixture.admit("x1")
    fixture.journal.database.write("UPDATE requests SET due_uptime = ? WHERE id = 'x1'", (due,))
    fixture.drain()
    assert fixture.journal.get("x1").state is State.SUCCEEDED


@pytest.mark.parametrize("days", [30, 100_000, inf])
def test_worker_survives_a_deferral_of_any_length(fixture, days):
    """With real threads: the lane of a request that is deferred for months runs the next one."""
    fixture.admit("late", "remote")
    fixture.journal.defer("late", fixture.clock.utc(), days * 86400.0, "waits for its window")
    looked, settled = threading.Event(), threading.Event()
    next_due_uptime = fixture.journal.next_due_uptime

    def watched(*arguments, **options):
        looked.set()
        return next_due_uptime(*arguments, **options)

    fixture.journal.next_due_uptime = watched
    fixture.observer.settled = lambda _record: settled.set()
    fixture.lanes.start()
    fixture.lanes.release()
    assert looked.wait(DEADLINE_S)
    fixture.lanes.accepted(fixture.admit("next", "remote"))
    assert settled.wait(DEADLINE_S)
    fixture.runtime.stops.stop()
    fixture.lanes.stop()
    assert fixture.lanes.join(DEADLINE_S)
    assert fixture.journal.get("late").settled_at is None
    assert fixture.runtime.fatal_errors == []


@pytest.mark.parametrize("error", [RuntimeError("defect"), OSError(5, "Input/output error")])
def test_lane_settles_a_request_that_always_raises(fixture, error):
    """The lane ends its script before it settles the request, and closes its attempt (I16)."""
    fixture.executor.outcomes["health-check.sh"] = [error] + [0] * 9
    fixture.executor.probe = lambda *_: (_ for _ in ()).throw(error)
    fixture.admit("a")
    fixture.admit("b")
    fixture.drain()
    assert (fixture.journal.get("a").reason, fixture.journal.open_attempt("a")) == (Reason.INTERNAL_ERROR, None)
    assert ("abandon", "health-check.sh") in fixture.executor.calls
    assert fixture.journal.get("b").state is State.SUCCEEDED


def test_lane_does_not_settle_a_request_whose_script_may_still_start(fixture):
    """While the state of the script is unknown, the lane waits (I10); the count of failures stays bounded (I16)."""
    error = OSError(28, "No space left on device")
    fixture.executor.outcomes["health-check.sh"] = [error] + [0] * 9
    fixture.executor.probe = fixture.executor.abandon = lambda *_: (_ for _ in ()).throw(error)
    fixture.admit("a")
    for _ in range(MAX_FAILURES - 1):
        assert fixture.lanes.run_next("core") > 0
    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            fixture.lanes.run_next("core")
    assert fixture.journal.get("a").settled_at is None
    assert len(fixture.journal.failures("a")) == MAX_FAILURES
    fixture.executor.probe = lambda *_: ProbeResult.NEVER_STARTED
    assert fixture.lanes.run_next("core") == 0.0
    assert fixture.journal.get("a").state is State.SUCCEEDED


def test_failure_count_survives_restarts(fixture, tmp_path):
    """The count is in the journal: a restart after each error does not reset it."""
    fixture.journal.database.write(INSERT, ("x1", "core", "cancel", "2026-01-01T00:00:00+00:00", "received"))
    for _ in range(MAX_FAILURES):
        assert fixture.lanes.run_next("core") is not None
        fixture.journal.close()
        fixture = LanesFixture(tmp_path)
    assert fixture.journal.get("x1").reason is Reason.INTERNAL_ERROR
    fixture.journal.close()


def test_lane_skips_a_row_that_cannot_be_settled(fixture):
    """A state of a newer release has no transition here; the lane continues with the next request."""
    write = fixture.journal.database.write
    write(INSERT, ("x1", "core", "update", "2026-01-01T00:00:00+00:00", "received"))
    write("DROP TRIGGER state_follows_transitions")
    write("UPDATE requests SET state = 'paused' WHERE id = 'x1'")
    fixture.admit("good")
    fixture.drain()
    assert fixture.journal.get("x1").settled_at is None
    assert fixture.journal.get("good").state is State.SUCCEEDED


def test_run_next_raises_the_errors_of_the_journal(fixture, monkeypatch):
    """Nothing was recorded, so nothing is counted against the request."""
    fixture.admit("a")
    for error in (JournalUnavailableError("full"), JournalDamagedError("broken")):
        monkeypatch.setattr(fixture.journal, "record_transition", lambda *_, error=error: (_ for _ in ()).throw(error))
        with pytest.raises(type(error)):
            fixture.lanes.run_next("core")
    assert fixture.journal.failures("a") == []


def test_workers_run_accepted_requests_until_a_stop(fixture):
    """With real threads: nothing runs before the release; a request that is accepted later wakes its lane."""
    fixture.lanes.start()
    assert fixture.lanes.all_alive()
    fixture.lanes.release()
    settled = threading.Event()
    fixture.observer.settled = lambda _record: settled.set()
    fixture.lanes.accepted(fixture.admit("a", "remote"))
    assert settled.wait(DEADLINE_S)
    fixture.runtime.stops.stop()
    fixture.lanes.stop()
    assert fixture.lanes.join(DEADLINE_S)
    assert not fixture.lanes.all_alive()


def test_damaged_journal_ends_the_worker_and_the_coordinator(fixture, monkeypatch):
    """Only a restart replaces a damaged journal."""
    damage = JournalDamagedError("broken")
    monkeypatch.setattr(fixture.journal, "next_due", lambda *_, **__: (_ for _ in ()).throw(damage))
    fixture.lanes.start()
    fixture.lanes.release()
    assert fixture.lanes.join(DEADLINE_S)
    assert fixture.runtime.fatal_errors == [damage] * 2
    assert fixture.runtime.wakeup.wait(DEADLINE_S)
