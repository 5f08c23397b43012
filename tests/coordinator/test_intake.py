"""The intake: admission, rejection, deferral, and a batch with one file that fails (I1, I16)."""

from __future__ import annotations

import errno
import json

import pytest

from coordinator.intake import MAX_FAILURES, Intake
from coordinator.policy_gate import PolicyGate
from coordinator.quarantine import Quarantine
from fsm.errors import JournalUnavailableError
from fsm.journal import Journal
from fsm.machine import RequestMachine
from policy.engine import ALLOW, Defer, Reject, RuleSet
from policy.rules import RULES
from protocol.inbox import Inbox
from protocol.types import Reason, State
from tests.support.coordinator_parts import RecordingObserver, make_runtime
from tests.support.manual_clock import ManualClock

COMPONENTS = frozenset({"core", "edge"})


class FailingInbox(Inbox):
    """Raises ``error`` for the names in ``fails``."""

    def __init__(self, directory, limit):
        super().__init__(directory, limit)
        self.fails: set[str] = set()
        self.error: Exception = OSError(errno.EIO, "Input/output error")

    def read(self, name):
        if name in self.fails:
            raise self.error
        return super().read(name)


class EdgeRule:
    """Returns the same verdict for each request for ``edge``."""

    def __init__(self, verdict):
        self.verdict = verdict

    def evaluate(self, request, _context):
        return self.verdict if request.component == "edge" else ALLOW


class Bench:
    """An intake on real folders and a real journal."""

    def __init__(self, folder, *, permission=()):
        self.requests = folder / "requests"
        self.requests.mkdir()
        self.clock = ManualClock()
        self.journal = Journal.open(folder / "journal.db")
        self.inbox = FailingInbox(self.requests, 1024)
        self.observer = RecordingObserver()
        self.runtime = make_runtime(self.journal, self.clock)
        self.quarantine = folder / "quarantine"
        gate = PolicyGate(RuleSet(RULES.form, permission), COMPONENTS, self.clock, self.runtime.running_time)
        self.intake = Intake(
            self.inbox,
            RequestMachine(self.journal),
            gate,
            self.observer,
            Quarantine(self.quarantine, self.inbox),
            self.runtime,
            60.0,
        )

    def submit(self, name, component="core", **changes):
        values = {"component": component, "action": "health", "request_id": name, "timestamp": "2026-01-02T03:04:05Z"}
        (self.requests / f"{name}.json").write_text(json.dumps(values | changes))


def test_sweep_admits_and_rejects(make):
    """Each file is evaluated once; the observers are notified after the commit."""
    bench = make()
    bench.submit("one")
    bench.submit("two", "web")
    assert bench.intake.sweep() is None
    assert bench.intake.sweep() is None
    assert sorted(bench.observer.seen) == [("accepted", "one"), ("settled", "two failed")]
    assert bench.journal.get("two").reason is Reason.UNKNOWN_COMPONENT


def test_sweep_records_the_running_time_with_each_admission(make):
    """This needs no further fsync, and a power cut loses less than an hour of running time (I11)."""
    bench = make()
    bench.submit("one")
    bench.clock.sleep(100)
    bench.intake.sweep()
    assert bench.journal.uptime() == 100


@pytest.mark.parametrize(
    ("verdict", "state", "seen"),
    [
        (Defer(50.0, "waits for its window"), State.VALIDATED, ("accepted", "two")),
        (Reject(Reason.INVALID_REQUEST, "cannot run it here"), State.FAILED, ("settled", "two failed")),
    ],
)
def test_sweep_evaluates_the_permission_rules(make, verdict, state, seen):
    """A deferral is committed with the admission, and the request stays validated."""
    bench = make(permission=(EdgeRule(verdict),))
    bench.submit("one")
    bench.submit("two", "edge")
    bench.intake.sweep()
    assert bench.journal.get("two").state is state
    assert seen in bench.observer.seen
    if isinstance(verdict, Defer):
        record = bench.journal.get("two")
        assert (record.due_uptime, record.deferred_why) == (50.0, "waits for its window")
        assert bench.journal.next_due(["core", "edge"], uptime_s=49).request_id == "one"


def test_sweep_retries_a_request_that_cannot_be_read(make):
    """No event reports that a disk works again, and the long pause is too long."""
    bench = make()
    bench.submit("one")
    bench.inbox.fails = {"one.json"}
    again = bench.intake.sweep()
    assert again is not None
    assert 0 < again <= 10
    assert bench.observer.seen == []
    bench.inbox.fails = set()
    assert bench.intake.sweep() is None
    assert bench.observer.seen == [("accepted", "one")]


def test_sweep_continues_after_a_file_that_raises(make):
    """The other files of its batch are admitted at once; the file itself fails after ``MAX_FAILURES`` tries (I16)."""
    bench = make()
    bench.submit("bad")
    bench.submit("good")
    bench.inbox.fails, bench.inbox.error = {"bad.json"}, RuntimeError("defect")
    for sweep in range(MAX_FAILURES):
        assert bench.journal.get("bad") is None, sweep
        bench.intake.sweep()
        assert bench.journal.get("good").state is State.VALIDATED
    assert (bench.journal.get("bad").state, bench.journal.get("bad").reason) == (State.FAILED, Reason.INTERNAL_ERROR)
    assert ("settled", "bad failed") in bench.observer.seen


def test_intake_quarantines_a_file_that_cannot_be_rejected(make, monkeypatch):
    """A file for which no answer can be written is kept for a person."""
    bench = make()
    bench.submit("bad")
    bench.submit("good")
    insert = bench.journal.insert

    def failing_insert(request_id, *rest):
        if request_id == "bad":
            raise RuntimeError("defect")
        return insert(request_id, *rest)

    monkeypatch.setattr(bench.journal, "insert", failing_insert)
    for _ in range(MAX_FAILURES):
        bench.intake.sweep()
    assert [path.name for path in bench.requests.iterdir()] == ["good.json"]
    assert len(list(bench.quarantine.iterdir())) == 1


def test_sweep_raises_while_the_journal_is_unavailable(make, monkeypatch):
    """Nothing is counted against a file, and nothing of its batch is admitted."""
    bench = make()
    bench.submit("one")
    monkeypatch.setattr(bench.journal, "insert", lambda *_: (_ for _ in ()).throw(JournalUnavailableError("disk full")))
    for _ in range(MAX_FAILURES + 1):
        with pytest.raises(JournalUnavailableError):
            bench.intake.sweep()
    monkeypatch.undo()
    bench.intake.sweep()
    assert bench.journal.get("one").state is State.VALIDATED


def test_resubmission_of_a_settled_id_is_published_again(make):
    """The observers are notified of the recorded answer (I7)."""
    bench = make()
    bench.submit("two", "web")
    bench.intake.sweep()
    bench.journal.mark_published("two")
    bench.intake.sweep()
    assert bench.observer.seen == [("settled", "two failed")] * 2
    assert not bench.journal.get("two").published


def test_sweep_ends_early_at_a_stop(make):
    """A flood of requests does not delay the stop of a coordinator."""
    bench = make()
    bench.submit("one")
    bench.runtime.stops.stop()
    assert bench.intake.sweep() is None
    assert bench.observer.seen == []
