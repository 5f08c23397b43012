"""The runner: one request, from its turn to its answer, with scripted outcomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.active_request import StepResult
from coordinator.policy_gate import PolicyGate
from coordinator.runner import MAX_FAILED_STARTS, Runner
from coordinator.settings import Component, Settings
from executors.interface import Outcome, VetFailure
from fsm.errors import JournalUnavailableError
from fsm.journal import Journal
from fsm.machine import RequestMachine
from fsm.records import TransitionFacts
from fsm.recovery import MAX_RESUMES
from fsm.transition_table import Event
from policy.engine import Defer, Reject, RuleSet
from protocol.types import Action, ExitKind, ProbeResult, Reason, State
from tests.support.coordinator_parts import BOOT, RecordingRequestObserver, ScriptedExecutor, make_runtime
from tests.support.fixed_rule import FixedRule
from tests.support.manual_clock import ManualClock


class RunnerFixture:
    """A runner on a real journal; ``run`` drives one request."""

    def __init__(self, folder, *, rule=None, **component):
        self.clock = ManualClock()
        self.journal = Journal.open(folder / "journal.db")
        self.machine = RequestMachine(self.journal)
        self.executor = ScriptedExecutor()
        self.observer = RecordingRequestObserver()
        self.runtime = make_runtime(self.journal, self.clock)
        settings = Settings(components={"core": Component(directory=Path("/opt/core"), **component)})
        rules = RuleSet(form=(), permission=(rule or FixedRule(),))
        gate = PolicyGate(rules, frozenset({"core"}), self.clock, self.runtime.running_time)
        self.runner = Runner(settings, self.machine, self.executor, gate, self.observer, self.runtime)

    def admit(self, action=Action.UPDATE, version="1.2.3", request_id="a"):
        now = self.clock.utc()
        record = self.journal.insert(request_id, "core", action, version, now, now)
        return self.machine.fire(record, Event.ACCEPT, TransitionFacts(now))

    def run(self, action=Action.UPDATE):
        record = self.journal.get("a") or self.admit(action)
        return self.runner.run(record)

    @property
    def record(self):
        return self.journal.get("a")

    def starts(self):
        return [script for call, script in self.executor.calls if call == "start"]


FIXTURE = RunnerFixture


def test_runner_settles_an_update_whose_scripts_exit_with_0(make):
    """update.sh, then health-check.sh; then the observers are notified, and the run is cleaned up."""
    fixture = make()
    assert fixture.run() is StepResult.SETTLED
    assert (fixture.record.state, fixture.record.reason) == (State.SUCCEEDED, None)
    assert fixture.starts() == ["update.sh", "health-check.sh"]
    assert fixture.observer.seen == [
        ("started", "a update.sh"),
        ("started", "a health-check.sh"),
        ("settled", "a succeeded"),
    ]
    assert fixture.executor.calls[-1] == ("cleanup", "a")


def test_runner_rolls_back_a_failed_update(make):
    """The failure is committed first, then rollback.sh and the health check run."""
    fixture = make()
    fixture.executor.outcomes["update.sh"] = [3]
    assert fixture.run() is StepResult.SETTLED
    assert (fixture.record.state, fixture.record.reason) == (State.ROLLED_BACK, Reason.SCRIPT_FAILED)
    assert fixture.starts() == ["update.sh", "rollback.sh", "health-check.sh"]
    assert ("moved", "a failed") in fixture.observer.seen


def test_runner_gives_up_when_the_rollback_fails(make):
    """The message states that the component needs a person."""
    fixture = make()
    fixture.executor.outcomes |= {"update.sh": [3], "rollback.sh": [4]}
    fixture.run()
    assert (fixture.record.state, fixture.record.reason) == (State.FAILED, Reason.ROLLBACK_FAILED)
    assert "repair the component by hand" in fixture.record.message


@pytest.mark.parametrize(
    ("verdict", "state", "result"),
    [
        (Reject(Reason.INVALID_REQUEST, "cannot run it any more"), State.FAILED, StepResult.SETTLED),
        (Defer(50.0, "waits for its window"), State.VALIDATED, StepResult.SUSPEND),
    ],
)
def test_runner_evaluates_the_permission_rules_again(make, verdict, state, result):
    """A request that was allowed at intake may be rejected or deferred when its turn comes; no script is started."""
    fixture = make(rule=FixedRule(verdict))
    assert fixture.run() is result
    assert fixture.record.state is state
    assert fixture.starts() == []
    if isinstance(verdict, Defer):
        assert (fixture.record.due_uptime, fixture.record.deferred_why) == (50.0, "waits for its window")
        assert fixture.run() is StepResult.SETTLED
        assert fixture.record.state is State.SUCCEEDED


def test_runner_rejects_a_request_whose_script_is_unsafe(make):
    """One unsafe script among those that may be needed is enough; none is started."""
    fixture = make()
    fixture.executor.vet_failures = [VetFailure(Reason.SCRIPT_UNSAFE, "cannot run update.sh: unsafe")]
    fixture.run()
    assert (fixture.record.state, fixture.record.reason, fixture.starts()) == (State.FAILED, Reason.SCRIPT_UNSAFE, [])


@pytest.mark.parametrize("kind", ["vet", "start"])
def test_runner_bounds_the_retries_of_a_failed_start(make, kind):
    """After ``MAX_FAILED_STARTS`` failures, with a pause between them, the answer is cannot_start (I16)."""
    fixture = make()
    if kind == "vet":
        fixture.executor.vet_failures = [VetFailure(Reason.CANNOT_START, "cannot determine")] * 99
    else:
        fixture.executor.start_failures = ["cannot start: no memory"] * 99
    fixture.run()
    assert (fixture.record.state, fixture.record.reason) == (State.FAILED, Reason.CANNOT_START)
    left = fixture.executor.vet_failures if kind == "vet" else fixture.executor.start_failures
    assert len(left) == 99 - MAX_FAILED_STARTS
    assert fixture.clock.slept == MAX_FAILED_STARTS - 1


def test_runner_bounds_the_reruns_of_an_interrupted_script(make):
    """A script that may be rerun, and is always interrupted, fails in the end (I9)."""
    fixture = make(on_interruption="rerun", on_failure="none")
    fixture.executor.outcomes["update.sh"] = [Outcome(ExitKind.INTERRUPTED, None, "", "")] * 99
    fixture.run()
    assert (fixture.record.state, fixture.record.reason) == (State.FAILED, Reason.INTERRUPTED)
    assert fixture.starts() == ["update.sh"] * (MAX_RESUMES + 1)


def test_runner_suspends_a_run_that_outlives_the_coordinator(make):
    """The attempt stays open for the next start, and no answer is published."""
    fixture = make()
    fixture.executor.outcomes["update.sh"] = [None]
    assert fixture.run() is StepResult.SUSPEND
    assert fixture.record.state is State.RUNNING
    assert fixture.journal.open_attempt("a").script == "update.sh"
    assert ("cleanup", "a") not in fixture.executor.calls


def test_runner_leaves_the_rollback_to_the_next_start_when_stopping(make):
    """A coordinator that is stopping starts no further script."""
    fixture = make()
    fixture.executor.outcomes["update.sh"] = [3]
    fixture.runtime.stops.stop()
    assert fixture.run() is StepResult.SUSPEND
    assert (fixture.record.state, fixture.record.settled_at) == (State.FAILED, None)
    assert fixture.starts() == ["update.sh"]


def test_runner_interrupts_only_the_flagged_request(make):
    """The flag belongs to one request: another one under the same runner is not affected."""
    fixture = make(on_failure="none")
    fixture.admit(request_id="b")
    fixture.runtime.stops.interrupt("a")
    fixture.run()
    fixture.runner.run(fixture.journal.get("b"))
    assert fixture.record.reason is Reason.INTERRUPTED
    assert fixture.journal.get("b").state is State.SUCCEEDED
    assert not fixture.runtime.stops.is_interrupted("a")  # the flag of a settled request is removed


def _interrupt_during(fixture, script):
    """Interrupt request ``a`` while ``script`` runs for the first time."""
    start = fixture.executor.start

    def interrupting(script_run):
        start(script_run)
        if script_run.script == script:
            fixture.runtime.stops.interrupt("a")

    fixture.executor.start = interrupting


@pytest.mark.parametrize(
    ("script", "on_interruption", "starts"),
    [
        ("update.sh", "rollback", ["update.sh", "rollback.sh", "health-check.sh"]),
        ("update.sh", "rerun", ["update.sh", "rollback.sh", "health-check.sh"]),
        ("health-check.sh", "rollback", ["update.sh", "health-check.sh", "rollback.sh", "health-check.sh"]),
    ],
)
def test_interrupted_update_is_rolled_back(make, script, on_interruption, starts):
    """The flag ends the update, whose script is not run again; it does not end what restores the previous version."""
    fixture = make(on_interruption=on_interruption)
    _interrupt_during(fixture, script)
    assert fixture.run() is StepResult.SETTLED
    assert (fixture.record.state, fixture.record.reason) == (State.ROLLED_BACK, Reason.INTERRUPTED)
    assert fixture.starts() == starts


def test_interrupted_health_check_is_not_run_again(make):
    """Without a flag, an interrupted health check is started again."""
    fixture = make()
    _interrupt_during(fixture, "health-check.sh")
    fixture.run(Action.HEALTH)
    assert (fixture.record.state, fixture.record.reason) == (State.FAILED, Reason.INTERRUPTED)
    assert fixture.starts() == ["health-check.sh"]


def test_interruption_during_a_rollback_does_not_end_it(make):
    """A rollback that an update's failure caused always runs to its end."""
    fixture = make()
    fixture.executor.outcomes["update.sh"] = [3]
    _interrupt_during(fixture, "rollback.sh")
    fixture.run()
    assert fixture.record.state is State.ROLLED_BACK


def test_request_interrupted_before_its_turn_runs_no_script(make):
    """It is answered as interrupted, and nothing was changed."""
    fixture = make()
    fixture.runtime.stops.interrupt("a")
    fixture.run()
    assert (fixture.record.state, fixture.record.reason) == (State.FAILED, Reason.INTERRUPTED)
    assert "nothing was changed" in fixture.record.message
    assert fixture.starts() == []


def test_interruption_between_two_scripts_starts_no_other_one(make):
    """The update had ended, so its rollback is due; its health check is not started."""
    fixture = make()
    end = fixture.executor.wait

    def interrupting(script_run, observer, *, deadline):
        outcome = end(script_run, observer, deadline=deadline)
        fixture.runtime.stops.interrupt("a")
        return outcome

    fixture.executor.wait = interrupting
    fixture.run()
    assert (fixture.record.state, fixture.starts()[:2]) == (State.ROLLED_BACK, ["update.sh", "rollback.sh"])


def test_interruption_of_all_ends_a_rollback_too(make):
    """At the end of a stop every run is interrupted, and the next start continues with what is open (I3)."""
    fixture = make()
    fixture.executor.outcomes["update.sh"] = [3]
    start = fixture.executor.start

    def stopping(script_run):
        start(script_run)
        if script_run.script == "rollback.sh":
            fixture.runtime.stops.interrupt_all()

    fixture.executor.start = stopping
    fixture.run()
    assert (fixture.record.state, fixture.record.reason) == (State.FAILED, Reason.ROLLBACK_FAILED)


def test_runner_settles_a_request_whose_runs_cannot_be_removed(make):
    """The request has its answer: an error after that is no failure of the request (I1)."""
    fixture = make()
    fixture.executor.cleanup = lambda _request_id: (_ for _ in ()).throw(OSError(30, "Read-only file system"))
    assert fixture.run() is StepResult.SETTLED
    assert fixture.record.state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("probe", "state", "starts"),
    [
        (ProbeResult.ALIVE, State.SUCCEEDED, ["health-check.sh"]),
        (ProbeResult.NEVER_STARTED, State.SUCCEEDED, ["update.sh", "health-check.sh"]),
        (ProbeResult.UNKNOWN, State.ROLLED_BACK, ["rollback.sh", "health-check.sh"]),
    ],
)
def test_runner_resumes_by_the_recovery_table(make, probe, state, starts):
    """The run of an earlier coordinator is adopted, started or interrupted as the table decides (I3)."""
    fixture = make()
    fixture.executor.outcomes["update.sh"] = [None]
    fixture.run()
    fixture.executor.calls.clear()
    fixture.executor.probe_result = probe
    fixture.run()
    assert (fixture.record.state, fixture.starts()) == (state, starts)


def test_abandon_closes_the_attempt_and_lists_surviving_processes(make):
    """Before a request is settled without an outcome, its script is ended; the answer lists what could not be ended."""
    fixture = make()
    assert fixture.runner.abandon(fixture.admit()) == (None, "")
    fixture.executor.outcomes["update.sh"] = [None]
    fixture.run()
    fixture.executor.stuck = [41, 42]
    attempt, remark = fixture.runner.abandon(fixture.record)
    assert (attempt.ending, attempt.boot_id) == (ExitKind.INTERRUPTED, BOOT)
    assert remark == "; processes that even KILL does not end: 41, 42"
    fixture.executor.abandon = lambda _run: (_ for _ in ()).throw(RuntimeError("defect"))
    assert fixture.runner.abandon(fixture.record)[1] == "; update.sh may still be running: defect"
    fixture.executor.abandon = lambda _run: (_ for _ in ()).throw(OSError("cannot read"))
    with pytest.raises(OSError, match="cannot read"):
        fixture.runner.abandon(fixture.record)


def test_runner_raises_while_the_journal_is_unavailable(make, monkeypatch):
    """The cause is on the host: nothing was decided, and the lane retries."""
    fixture = make()
    record = fixture.admit()
    monkeypatch.setattr(
        fixture.journal, "record_transition", lambda *_: (_ for _ in ()).throw(JournalUnavailableError("full"))
    )
    with pytest.raises(JournalUnavailableError):
        fixture.runner.run(record)
    assert fixture.starts() == []
