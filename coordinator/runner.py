"""Drives one request: step → outcome → transition, until it is settled or suspended; also after a restart."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from loguru import logger

from coordinator import texts
from coordinator.active_request import ActiveRequest, StepResult
from coordinator.observers import RequestObserver
from coordinator.policy_gate import PolicyGate
from coordinator.progress_reporter import ProgressReporter
from coordinator.runtime import Runtime
from coordinator.settings import Settings
from executors.interface import CannotStartError, Executor, Outcome, ProcessId, ScriptRun
from fsm import recovery, script_plan
from fsm.machine import RequestMachine
from fsm.records import AttemptRecord, RequestRecord
from fsm.recovery import RecoveryAction
from fsm.transition_table import Event
from policy.engine import Allow, Defer, Reject
from protocol.types import ExitKind, ProbeResult, Reason, State

MAX_FAILED_STARTS = 5
_PAUSE_S = 1.0


class Runner:
    """Runs requests of any lane; one thread per lane calls ``run``."""

    def __init__(
        self,
        settings: Settings,
        machine: RequestMachine,
        executor: Executor,
        gate: PolicyGate,
        observers: RequestObserver,
        runtime: Runtime,
    ) -> None:
        self._settings = settings
        self._journal = machine.journal
        self._machine = machine
        self._executor = executor
        self._gate = gate
        self._observers = observers
        self._runtime = runtime
        self._since = runtime.clock.monotonic()

    def run(self, record: RequestRecord) -> StepResult:
        """Drive ``record`` until it is settled and answered, or suspended: deferred, or left to the next start."""
        with logger.contextualize(request_id=record.request_id):
            active = self._activate(record)
            result = self._check_turn(active) if active.state is State.VALIDATED else StepResult.CONTINUE
            while result is StepResult.CONTINUE:
                if attempt := active.open_attempt:
                    result = self._resume(active, attempt)
                elif script := active.next_script:
                    result = self._run_script(active, script)
                else:
                    result = self._close(active)
            if result is StepResult.SETTLED:
                self.settle(active.record)
            return result

    def settle(self, record: RequestRecord) -> None:
        """Have a settled request answered, and remove the files of its runs."""
        self._observers.settled(record)
        logger.info("{}: {}", record.state, record.message)  # after the answer, which a client waits for
        self._runtime.stops.discard(record.request_id)
        try:
            self._executor.cleanup(record.request_id)
        except OSError as error:  # it has its answer, so this is no failure of the request
            logger.warning("cannot remove its run directories: {}; housekeeping tries again", error)

    def abandon(self, record: RequestRecord) -> tuple[AttemptRecord | None, str]:
        """End what an open attempt of ``record`` still runs, before the request is settled without its outcome.

        Returns:
            The attempt, closed as interrupted, and what remains to be said about it.

        Raises:
            OSError: it is not known whether the script runs; it might still start, so the request is not settled.
        """
        attempt = self._journal.open_attempt(record.request_id)
        if attempt is None:
            return None, ""
        ended = replace(attempt, ending=ExitKind.INTERRUPTED, ended_at=self._runtime.clock.utc())
        try:
            stuck = self._executor.abandon(self._activate(record).script_run(attempt))
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001  a row that cannot be run is settled nevertheless
            return ended, f"; {attempt.script} may still be running: {error}"
        return ended, f"; processes that even KILL does not end: {', '.join(map(str, stuck))}" if stuck else ""

    def _activate(self, record: RequestRecord) -> ActiveRequest:
        component = self._settings.components[record.component or ""]
        return ActiveRequest(record, component, self._machine, self._runtime)

    # -- before the first script -------------------------------------------------------------------------------

    def _check_turn(self, active: ActiveRequest) -> StepResult:
        """Before the first script: evaluate the permission rules again, and vet every script the request may need."""
        if self._is_interrupted(active):
            return active.refuse(Reason.INTERRUPTED, "interrupted before it began; nothing was changed")
        verdict = self._gate.at_turn(active.as_request())
        if isinstance(verdict, Reject):
            return active.refuse(verdict.reason, verdict.message)
        if isinstance(verdict, Defer):
            logger.info("deferred: {}", verdict.why)
            return active.defer(verdict.until_uptime_s, verdict.why)
        if not isinstance(verdict, Allow):
            assert_never(verdict)
        for script in script_plan.scripts_needed(active.action, active.policy):
            result = self._vet(active, script)
            if result is not None:
                return result
        return StepResult.CONTINUE

    def _vet(self, active: ActiveRequest, script: str) -> StepResult | None:
        """Vet ``script``, again while it cannot be examined; None: it may run."""
        while (failure := self._executor.vet(active.component.directory, script)) is not None:
            if failure.reason is Reason.CANNOT_START:
                result = self._count_failed_start(active, failure.message)
                if result is StepResult.CONTINUE:
                    continue
                if result is not None:
                    return result
            if active.state is State.VALIDATED:
                return active.refuse(failure.reason, failure.message)
            return self._give_up(active, failure.reason, failure.message)
        return None

    # -- one step ----------------------------------------------------------------------------------------------

    def _run_script(self, active: ActiveRequest, script: str) -> StepResult:
        """Run ``script`` once, to its end."""
        if active.state is not State.VALIDATED:  # else it was vetted a moment ago
            if active.state is State.RUNNING and self._is_interrupted(active):
                return self._give_up(active, Reason.INTERRUPTED, f"interrupted before {script}")
            result = self._vet(active, script)
            if result is not None:
                return result
        attempt = active.begin(script)
        script_run = active.script_run(attempt)
        try:
            self._executor.start(script_run)
        except CannotStartError as error:
            return self._conclude(active, attempt, Outcome(ExitKind.NOT_STARTED, None, "", "", str(error)))
        self._observers.started(active.record, script)
        return self._conclude(active, attempt, self._wait(active, attempt, script_run))

    def _wait(self, active: ActiveRequest, attempt: AttemptRecord, script_run: ScriptRun) -> Outcome | None:
        observer = ProgressReporter(active, attempt, self._observers, self._runtime)
        return self._executor.wait(script_run, observer, deadline=attempt.started_monotonic + script_run.timeout_s)

    def _resume(self, active: ActiveRequest, attempt: AttemptRecord) -> StepResult:
        """Probe a run that is not known to be over, and act by the recovery table (I3, I9).

        An earlier coordinator began it, or this one did and could not record how it ended.
        """
        if attempt.boot_id == recovery.LOST_BOOT:  # the start has ended what still ran (I13)
            detail = "the journal was lost while it may have run"
            outcome = Outcome(ExitKind.INTERRUPTED, None, "", "", detail)
            return self._conclude(active, attempt, outcome, observed=False)
        script_run = active.script_run(attempt)
        probe = self._executor.probe(script_run, _process_of(attempt), attempt.boot_id)
        rerunnable = script_plan.is_rerunnable(attempt.script, active.policy)
        action = recovery.recovery_action(probe, rerunnable=rerunnable)
        logger.info("found {} {}: {}", attempt.script, probe, action)
        if attempt.boot_id != self._runtime.boot_id or attempt.started_monotonic < self._since:
            active.record_recovery(attempt, probe, action)
        if action is RecoveryAction.ADOPT:
            self._observers.started(active.record, attempt.script)
            return self._conclude(active, attempt, self._wait(active, attempt, script_run))
        if action is RecoveryAction.START:
            return self._conclude(active, attempt, Outcome(ExitKind.NOT_STARTED, None, "", ""), observed=False)
        return self._conclude(active, attempt, self._collect(script_run, probe), observed=False)

    def _collect(self, script_run: ScriptRun, probe: ProbeResult) -> Outcome:
        outcome = self._executor.collect(script_run)
        if probe is ProbeResult.UNKNOWN and not outcome.detail:
            return replace(outcome, detail="the host or the coordinator stopped while it ran")
        return outcome

    def _close(self, active: ActiveRequest) -> StepResult:
        """Settle a request without a due script: the configuration was changed and needs fewer scripts than before."""
        if active.state is State.RUNNING:
            return self._move(active, Event.SUCCEED, None, "")
        reason = active.record.reason if isinstance(active.record.reason, Reason) else None
        return self._move(active, Event.GIVE_UP, reason, "on_failure no longer requires it")

    # -- what an outcome means ---------------------------------------------------------------------------------

    def _conclude(
        self, active: ActiveRequest, attempt: AttemptRecord, outcome: Outcome | None, *, observed: bool = True
    ) -> StepResult:
        """Turn the end of one run into a transition, into the next step, or into another try."""
        if outcome is None:
            logger.info("{} continues without this coordinator; the next one waits for its end", attempt.script)
            return StepResult.SUSPEND
        ended = active.end(attempt, outcome, observed=observed)
        what = texts.describe_exit(ended.script, ended, outcome.detail)
        is_last = active.next_script is None
        if not is_last:  # else the answer contains it
            logger.info("{}", what)
        if outcome.exit_kind is ExitKind.NOT_STARTED:
            return self._retry_start(active, outcome.detail)
        if outcome.exit_kind is ExitKind.INTERRUPTED and self._may_rerun(active, ended.script):
            return self._rerun(active, what)
        decision = script_plan.classify_exit(
            active.state, ended.script, outcome.exit_kind, ended.exit_code, last=is_last
        )
        if decision.event is None:
            return StepResult.CONTINUE
        return self._move(active, decision.event, decision.reason, what)

    def _retry_start(self, active: ActiveRequest, detail: str) -> StepResult:
        """Try a run that certainly never began again, a bounded number of times."""
        active.record_end()
        result = self._count_failed_start(active, detail) if detail else StepResult.CONTINUE
        return self._give_up(active, Reason.CANNOT_START, detail) if result is None else result

    def _count_failed_start(self, active: ActiveRequest, detail: str) -> StepResult | None:
        """Count one failed start; None: too many, SUSPEND: a stop came, else pause and CONTINUE."""
        active.failed_starts += 1
        logger.error("{}", detail)
        if active.failed_starts >= MAX_FAILED_STARTS:
            return None
        if self._runtime.stops.is_stopping:
            return StepResult.SUSPEND
        self._runtime.clock.sleep(_PAUSE_S)
        return StepResult.CONTINUE

    def _is_interrupted(self, active: ActiveRequest) -> bool:
        return self._runtime.stops.is_interrupted(active.record.request_id)

    def _may_rerun(self, active: ActiveRequest, script: str) -> bool:
        if active.state is State.RUNNING and self._is_interrupted(active):
            return False
        return script_plan.is_rerunnable(script, active.policy)

    def _rerun(self, active: ActiveRequest, what: str) -> StepResult:
        """Restart an interrupted script that may run twice, a bounded number of times (I9)."""
        if self._runtime.stops.is_stopping:
            return StepResult.SUSPEND  # the attempt stays open: the next start finds it, and decides again
        if active.count_resume() > recovery.MAX_RESUMES:
            return self._give_up(active, Reason.INTERRUPTED, f"{what}, repeatedly")
        return StepResult.CONTINUE

    def _give_up(self, active: ActiveRequest, reason: Reason, what: str) -> StepResult:
        """Leave the present state without a run: no script can be run, or none may be run again."""
        if active.state is State.RUNNING:
            return self._move(active, Event.FAIL, reason, what)
        return self._move(active, Event.GIVE_UP, Reason.ROLLBACK_FAILED, what)

    def _move(self, active: ActiveRequest, event: Event, reason: Reason | None, what: str) -> StepResult:
        result = active.move(event, reason, what)
        if result is StepResult.SETTLED:
            return result
        self._observers.moved(active.record)
        # The rollback is left to the next start when this coordinator is about to end.
        return StepResult.SUSPEND if self._runtime.stops.is_stopping else result


def _process_of(attempt: AttemptRecord) -> ProcessId | None:
    if attempt.pid is None or attempt.start_ticks is None:
        return None
    return ProcessId(attempt.boot_id, attempt.pid, attempt.start_ticks)
