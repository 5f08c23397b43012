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
from tests.support.coordinator_parts import RecordingRequestObserver, make_runtime
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


class IntakeFixture:
    """An intake on real folders and a real journal."""

    def __init__(self, folder, *, permission=()):
        self.requests = folder / "requests"
        self.requests.mkdir()
        self.clock = ManualClock()
        self.journal = Journal.open(folder / "journal.db")
        self.inbox = FailingInbox(self.requests, 1024)
        self.observer = RecordingRequestObserver()
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


FIXTURE = IntakeFixture


def test_sweep_admits_and_rejects(make):
    """Each file is evaluated once; the observers are notified after the commit."""
    fixture = make()
    fixture.submit("one")
    fixture.submit("two", "web")
    assert fixture.intake.sweep() is None
    assert fixture.intake.sweep() is None
    assert sorted(fixture.observer.seen) == [("accepted", "one"), ("settled", "two failed")]
    assert fixture.journal.get("two").reason is Reason.UNKNOWN_COMPONENT


def test_sweep_records_the_running_time_with_an_admission_once_a_minute(make):
    """This needs no further fsync, and while requests arrive a power cut loses about a minute of it (I11)."""
    fixture = make()
    recorded = []
    for number in range(4):
        fixture.submit(f"n{number}")
        fixture.clock.sleep(40)
        fixture.intake.sweep()
        recorded.append(fixture.journal.uptime())
    assert recorded == [0, 80, 80, 160]


@pytest.mark.parametrize(
    ("verdict", "state", "seen"),
    [
        (Defer(50.0, "waits for its window"), State.VALIDATED, ("accepted", "two")),
        (Reject(Reason.INVALID_REQUEST, "cannot run it here"), State.FAILED, ("settled", "two failed")),
    ],
)
def test_sweep_evaluates_the_permission_rules(make, verdict, state, seen):
    """A deferral is committed with the admission, and the request stays validated."""
    fixture = make(permission=(EdgeRule(verdict),))
    fixture.submit("one")
    fixture.submit("two", "edge")
    fixture.intake.sweep()
    assert fixture.journal.get("two").state is state
    assert seen in fixture.observer.seen
    if isinstance(verdict, Defer):
        record = fixture.journal.get("two")
        assert (record.due_uptime, record.deferred_why) == (50.0, "waits for its window")
        assert fixture.journal.next_due(["core", "edge"], uptime_s=49).request_id == "one"


def test_sweep_retries_a_request_that_cannot_be_read(make):
    """No event reports that a disk works again, and the long pause is too long."""
    fixture = make()
    fixture.submit("one")
    fixture.inbox.fails = {"one.json"}
    again = fixture.intake.sweep()
    assert again is not None
    assert 0 < again <= 10
    assert fixture.observer.seen == []
    fixture.inbox.fails = set()
    assert fixture.intake.sweep() is None
    assert fixture.observer.seen == [("accepted", "one")]


def test_sweep_continues_after_a_file_that_raises(make):
    """The other files of its batch are admitted at once; the file itself fails after ``MAX_FAILURES`` tries (I16)."""
    fixture = make()
    fixture.submit("bad")
    fixture.submit("good")
    fixture.inbox.fails, fixture.inbox.error = {"bad.json"}, RuntimeError("defect")
    for sweep in range(MAX_FAILURES):
        assert fixture.journal.get("bad") is None, sweep
        fixture.intake.sweep()
        assert fixture.journal.get("good").state is State.VALIDATED
    assert (fixture.journal.get("bad").state, fixture.journal.get("bad").reason) == (
        State.FAILED,
        Reason.INTERNAL_ERROR,
    )
    assert ("settled", "bad failed") in fixture.observer.seen


def test_intake_quarantines_a_file_that_cannot_be_rejected(make, monkeypatch):
    """A file for which no answer can be written is kept for a person."""
    fixture = make()
    fixture.submit("bad")
    fixture.submit("good")
    insert = fixture.journal.insert

    def failing_insert(request_id, *rest):
        if request_id == "bad":
            raise RuntimeError("defect")
        return insert(request_id, *rest)

    monkeypatch.setattr(fixture.journal, "insert", failing_insert)
    for _ in range(MAX_FAILURES):
        fixture.intake.sweep()
    assert [path.name for path in fixture.requests.iterdir()] == ["good.json"]
    assert len(list(fixture.quarantine.iterdir())) == 1


def test_sweep_raises_while_the_journal_is_unavailable(make, monkeypatch):
    """Nothing is counted against a file, and nothing of its batch is admitted."""
    fixture = make()
    fixture.submit("one")
    monkeypatch.setattr(
        fixture.journal, "insert", lambda *_: (_ for _ in ()).throw(JournalUnavailableError("disk full"))
    )
    for _ in range(MAX_FAILURES + 1):
        with pytest.raises(JournalUnavailableError):
            fixture.intake.sweep()
    monkeypatch.undo()
    fixture.intake.sweep()
    assert fixture.journal.get("one").state is State.VALIDATED


def test_resubmission_of_a_settled_id_is_published_again(make):
    """The observers are notified of the recorded answer (I7)."""
    fixture = make()
    fixture.submit("two", "web")
    fixture.intake.sweep()
    fixture.journal.mark_published("two")
    fixture.intake.sweep()
    assert fixture.observer.seen == [("settled", "two failed")] * 2
    assert not fixture.journal.get("two").published


def test_sweep_ends_early_at_a_stop(make):
    """A flood of requests does not delay the stop of a coordinator."""
    fixture = make()
    fixture.submit("one")
    fixture.runtime.stops.stop()
    assert fixture.intake.sweep() is None
    assert fixture.observer.seen == []


def test_intake_notifies_of_every_request_when_one_observer_call_raises(fixture):
    """Both requests of the batch are admitted, and both are announced, before the error is reported (I16)."""
    seen = []

    def accepted(record):
        seen.append(record.request_id)
        if record.request_id == "a":
            raise RuntimeError("defect")

    fixture.observer.accepted = accepted
    for name in ("a", "b"):
        fixture.submit(name)
    with pytest.raises(RuntimeError, match="defect"):
        fixture.intake.sweep()
    assert seen == ["a", "b"]
    assert fixture.journal.existing_ids(["a", "b"]) == {"a", "b"}
