"""Drives one request: step → outcome → move, until it rests. Restart enters the same loop; there is no second path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from loguru import logger

from coordinator import texts
from coordinator.active_request import ActiveRequest
from coordinator.progress_reporter import ProgressReporter
from coordinator.publisher import Publisher
from coordinator.settings import Settings
from executors.interface import CannotStartError, Executor, Outcome, ProcessId, ProgressReport, ScriptRun, VetFailure
from fsm import recovery, script_plan
from fsm.journal import Journal
from fsm.machine import RequestMachine
from fsm.records import AttemptRecord, RequestRecord
from fsm.transition_table import Event
from protocol.clock import Clock
from protocol.types import ExitKind, ProbeResult, Reason, State

_STARTS = 5
_PAUSE_S = 1.0


class Runner:
    """Runs requests of any lane; one thread per lane calls ``run``."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        lives: RequestMachine,
        executor: Executor,
        publisher: Publisher,
        clock: Clock,
        *,
        boot_id: str,
        must_stop: Callable[[], bool],
        stopping: Callable[[], bool],
        late: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._lives = lives
        self._executor = executor
        self._publisher = publisher
        self._clock = clock
        self._boot_id = boot_id
        self._since = clock.monotonic()
        self._must_stop = must_stop
        self._stopping = stopping
        self._late = late

    def run(self, record: RequestRecord) -> None:
        """Drive ``record`` until it is settled and answered, or until a stop leaves it for the next start."""
        component = self._settings.components[record.component or ""]
        with self._lives.of(record) as life, logger.contextualize(request_id=record.request_id):
            walk = ActiveRequest(record, life, component, self._journal, self._clock, self._boot_id)
            if walk.state is State.VALIDATED:
                self._vet_everything(walk)
            while not (walk.settled or walk.rests):
                if attempt := walk.open_attempt:
                    self._resume(walk, attempt)
                elif script := walk.next_script:
                    self._begin(walk, script)
                else:
                    self._close(walk)
            if walk.settled:
                self._answer(walk)

    def _vet_everything(self, walk: ActiveRequest) -> None:
        """Every script the request may need, before the first one touches anything."""
        for script in script_plan.scripts_needed(walk.action, walk.traits):
            if objection := self._vet(walk, script):
                if not walk.rests:
                    walk.refuse(objection.reason, objection.message)
                return

    def _vet(self, walk: ActiveRequest, script: str) -> VetFailure | None:
        """Why ``script`` must not run; a host that cannot tell just now is asked again, as one that cannot start it."""
        while True:
            objection = self._executor.vet(walk.component.directory, script)
            if objection is None or objection.reason is not Reason.CANNOT_START:
                return objection
            if self._is_hopeless(walk, objection.message) or walk.rests:
                return objection

    # -- one step ----------------------------------------------------------------------------------------------

    def _begin(self, walk: ActiveRequest, script: str) -> None:
        """Run ``script`` once, to its end."""
        is_vetted = walk.state is State.VALIDATED  # a moment ago
        if not is_vetted and (objection := self._vet(walk, script)):
            if not walk.rests:
                self._give_up(walk, objection.reason, objection.message)
            return
        attempt = walk.begin(script)
        step = walk.step(attempt)
        try:
            self._executor.start(step)
        except CannotStartError as error:
            self._conclude(walk, attempt, Outcome(ExitKind.NOT_STARTED, None, "", "", str(error)))
            return
        self._publisher.progress(walk.record, walk.state, ProgressReport(phase=script.removesuffix(".sh")))
        self._conclude(walk, attempt, self._wait(walk, attempt, step))

    def _wait(self, walk: ActiveRequest, attempt: AttemptRecord, step: ScriptRun) -> Outcome | None:
        watch = ProgressReporter(walk, attempt, self._publisher, self._clock, self._must_stop, self._stopping)
        return self._executor.wait(step, watch, deadline=attempt.started_monotonic + step.timeout_s)

    def _resume(self, walk: ActiveRequest, attempt: AttemptRecord) -> None:
        """Find out, by the recovery table, what became of a run that nobody saw end (I3, I9).

        An earlier coordinator began it, or this one did and the journal could not take how it ended.
        """
        if attempt.boot_id == recovery.LOST_BOOT:  # the start has ended what still ran (I13)
            detail = "the journal was lost while it may have run"
            self._conclude(walk, attempt, Outcome(ExitKind.INTERRUPTED, None, "", "", detail), seen=False)
            return
        step = walk.step(attempt)
        trace = self._executor.probe(step, _identity(attempt), attempt.boot_id)
        rerunnable = recovery.rerunnable(attempt.script, walk.traits)
        resumption = recovery.resumption(trace, rerunnable=rerunnable)
        logger.info("found {} {}: {}", attempt.script, trace, resumption)
        if attempt.boot_id != self._boot_id or attempt.started_monotonic < self._since:
            walk.note_resumption(attempt, trace, resumption)
        if resumption is recovery.RecoveryAction.ADOPT:
            self._conclude(walk, attempt, self._wait(walk, attempt, step))
        elif resumption is recovery.RecoveryAction.START:
            self._conclude(walk, attempt, Outcome(ExitKind.NOT_STARTED, None, "", ""), seen=False)
        else:
            self._conclude(walk, attempt, self._collect(step, trace), seen=False)

    def _collect(self, step: ScriptRun, trace: ProbeResult) -> Outcome:
        outcome = self._executor.collect(step)
        if trace is ProbeResult.UNKNOWN and not outcome.detail:
            return replace(outcome, detail="the host or the coordinator stopped while it ran")
        return outcome

    # -- what an outcome means ---------------------------------------------------------------------------------

    def _conclude(
        self, walk: ActiveRequest, attempt: AttemptRecord, outcome: Outcome | None, *, seen: bool = True
    ) -> None:
        """Turn the end of one run into a move, into the next step, or into another try."""
        if outcome is None:
            logger.info("{} goes on without this coordinator; the next one will tell how it ended", attempt.script)
            walk.rests = True
            return
        ended = walk.end(attempt, outcome, seen=seen)
        what = texts.ending(ended.script, ended, outcome.detail)
        if walk.next_script is not None:  # else it was the last one, and the answer says it
            logger.info("{}", what)
        if ended.ending is ExitKind.NOT_STARTED:
            self._try_again(walk, outcome.detail)
        elif ended.ending is ExitKind.INTERRUPTED and recovery.rerunnable(ended.script, walk.traits):
            self._rerun(walk, what)
        else:
            last = walk.next_script is None
            verdict = script_plan.classify_exit(walk.state, ended.script, outcome.exit_kind, ended.exit_code, last=last)
            if verdict.event is not None:
                self._move(walk, verdict.event, verdict.reason, what)

    def _try_again(self, walk: ActiveRequest, detail: str) -> None:
        """A run that certainly never began may begin again; when the host keeps refusing, that is the answer."""
        walk.note_end()
        if detail and self._is_hopeless(walk, detail):
            self._give_up(walk, Reason.CANNOT_START, detail)

    def _is_hopeless(self, walk: ActiveRequest, detail: str) -> bool:
        """Whether the host has refused often enough; else wait a moment, or let the next start try again."""
        walk.starts_failed += 1
        logger.error("{}", detail)
        if walk.starts_failed >= _STARTS:
            return True
        if self._stopping():
            walk.rests = True
        else:
            self._clock.sleep(_PAUSE_S)
        return False

    def _rerun(self, walk: ActiveRequest, what: str) -> None:
        """Let an interrupted script that may run twice begin anew, a bounded number of times (I9)."""
        if self._stopping():
            walk.rests = True  # the attempt stays open: the next start finds it, and decides again
        elif walk.count_resume() > recovery.MAX_RESUMES:
            self._give_up(walk, Reason.INTERRUPTED, f"{what}, again and again")

    def _give_up(self, walk: ActiveRequest, reason: Reason, what: str) -> None:
        """End the present state without a run: there is nothing to run, or no sense in running it."""
        if walk.state is State.RUNNING:
            self._move(walk, Event.FAIL, reason, what)
        else:
            self._move(walk, Event.GIVE_UP, Reason.ROLLBACK_FAILED, what)

    def _close(self, walk: ActiveRequest) -> None:
        """Nothing is due and nothing decided: the configuration has changed since, and asks for less than before."""
        if walk.state is State.RUNNING:
            self._move(walk, Event.SUCCEED, None, "")
        else:
            self._move(walk, Event.GIVE_UP, walk.record.reason, "on_failure does not ask for it any more")

    def _move(self, walk: ActiveRequest, event: Event, reason: Reason | None, what: str) -> None:
        walk.move(event, reason, what)
        if walk.settled:
            return
        self._publisher.progress(walk.record, walk.state)
        walk.rests = self._stopping()  # the rollback is the next start's: this one is going away

    def _answer(self, walk: ActiveRequest) -> None:
        record = walk.record
        if not self._publisher.publish_status(record.request_id):
            self._late()
        logger.info("{}: {}", record.state, record.message)
        self._executor.cleanup(record.request_id)


def _identity(attempt: AttemptRecord) -> ProcessId | None:
    if attempt.pid is None or attempt.start_ticks is None:
        return None
    return ProcessId(attempt.boot_id, attempt.pid, attempt.start_ticks)
