"""Drives one request: step → outcome → move, until it rests. Restart enters the same loop; there is no second path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from loguru import logger

from coordinator import words
from coordinator.publisher import Publisher
from coordinator.settings import Component, Settings
from executors.errors import CannotStartError
from executors.step import Conclusion, Executor, Identity, Outcome, Step, Trace
from fsm import plan, recovery
from fsm.journal import Journal
from fsm.machine import Life, Lives
from fsm.records import AttemptRecord, Ending, RequestRecord
from fsm.table import Event
from protocol.clock import Clock
from protocol.messages import Action, Reason, State

LOST_BOOT = "lost"  # the boot of an attempt that a lost journal may have held (I13)
_STARTS = 5
_PAUSE_S = 1.0


@dataclass
class _Walk:
    """One request on its way: its record, what ran so far, and the run that is over but not yet in the journal."""

    life: Life
    record: RequestRecord
    component: Component
    traits: plan.Traits
    attempts: list[AttemptRecord]
    unrecorded: AttemptRecord | None = None
    detail: str = ""
    starts_failed: int = 0
    rests: bool = False  # until the next start
    settled: bool = False


class Runner:
    """Runs requests of any lane; one thread per lane calls ``run``."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        lives: Lives,
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
        self._must_stop = must_stop
        self._stopping = stopping
        self._late = late

    def run(self, record: RequestRecord) -> None:
        """Drive ``record`` until it is settled and answered, or until a stop leaves it for the next start."""
        component = self._settings.components[record.component or ""]
        with self._lives.of(record) as life, logger.contextualize(request_id=record.request_id):
            walk = _Walk(life, record, component, traits_of(component), self._journal.attempts(record.request_id))
            if record.state is State.VALIDATED and not self._may_start(walk):
                self._answer(walk)
                return
            while not (walk.rests or walk.settled) and (
                script := plan.step_for(walk.record, walk.attempts, walk.traits)
            ):
                attempt = self._resume_or_begin(walk, script)
                if attempt is not None:
                    self._conclude(walk, attempt)
            if not walk.rests:
                self._answer(walk)

    # -- before the first script -------------------------------------------------------------------------------

    def _may_start(self, walk: _Walk) -> bool:
        """Vet every script the request may need before the first one touches anything."""
        for script in plan.scripts_needed(_action(walk.record), walk.traits):
            if objection := self._executor.vet(walk.component.directory, script):
                self._fire(walk, Event.REFUSE, objection.reason, objection.message, settles=True)
                return False
        return True

    # -- one step ----------------------------------------------------------------------------------------------

    def _resume_or_begin(self, walk: _Walk, script: str) -> AttemptRecord | None:
        """Run ``script`` once, or find out what became of a run that an earlier coordinator began."""
        if walk.attempts and walk.attempts[-1].ending is None:
            return self._resume(walk, walk.attempts[-1])
        vetted_just_now = walk.life.state is State.VALIDATED
        if not vetted_just_now and (objection := self._executor.vet(walk.component.directory, script)):
            self._object(walk, objection.reason, objection.message)
            return None
        attempt = self._begin(walk, script)
        step = self._step(walk, attempt)
        try:
            self._executor.start(step)
        except CannotStartError as error:
            return self._over(attempt, Outcome(Conclusion.NOT_STARTED, None, "", "", str(error)), walk)
        self._publisher.progress(walk.record, attempt.state, script.removesuffix(".sh"))
        return self._wait(walk, attempt, step)

    def _begin(self, walk: _Walk, script: str) -> AttemptRecord:
        """Write down that ``script`` is about to start (I2); with the first of them, that the request runs."""
        state = State.RUNNING if walk.life.state is State.VALIDATED else walk.life.state
        attempt = AttemptRecord(
            request_id=walk.record.request_id,
            number=walk.attempts[-1].number + 1 if walk.attempts else 1,  # a rebuilt journal may begin above 1
            state=state,
            script=script,
            boot_id=self._boot_id,
            started_at=self._clock.utc(),
            started_monotonic=self._clock.monotonic(),
        )
        if walk.life.state is State.VALIDATED:
            with self._journal.transaction():
                if _action(walk.record) is Action.ROLLBACK:
                    target = self._journal.last_update(walk.record.component or "")
                    self._journal.set_rollback_of(walk.record.request_id, target)
                    walk.record = replace(walk.record, rollback_of=target)
                walk.life.fire(Event.START, at=attempt.started_at, begin=attempt)
            walk.record = replace(walk.record, state=walk.life.state)
        else:
            self._journal.advance(finish=walk.unrecorded, begin=attempt)
            walk.unrecorded = None
        walk.attempts.append(attempt)
        return attempt

    def _wait(self, walk: _Walk, attempt: AttemptRecord, step: Step) -> AttemptRecord:
        watch = _Watch(self._journal, self._publisher, walk.record, attempt, self._must_stop)
        deadline = attempt.started_monotonic + step.timeout_s
        return self._over(attempt, self._executor.wait(step, watch, deadline=deadline), walk)

    def _over(self, attempt: AttemptRecord, outcome: Outcome, walk: _Walk) -> AttemptRecord:
        same_boot = attempt.boot_id == self._boot_id
        walk.detail = outcome.detail
        finished = replace(
            attempt,
            ended_at=self._clock.utc(),
            seconds=round(max(0.0, self._clock.monotonic() - attempt.started_monotonic), 3) if same_boot else None,
            ending=Ending(outcome.conclusion.value),
            exit_code=outcome.exit_code,
            output=outcome.output,
            error=outcome.error,
        )
        walk.attempts[-1] = finished
        logger.info("{}", words.ending(finished.script, finished, outcome.detail))
        return finished

    # -- after a restart ---------------------------------------------------------------------------------------

    def _resume(self, walk: _Walk, attempt: AttemptRecord) -> AttemptRecord | None:
        """Decide, from the recovery table, what an attempt is that nobody saw end (I3, I9)."""
        step = self._step(walk, attempt)
        identity = (
            Identity(attempt.boot_id, attempt.pid, attempt.start_ticks)
            if attempt.pid is not None and attempt.start_ticks is not None
            else None
        )
        if attempt.boot_id == LOST_BOOT:
            return self._lost(walk, attempt)
        trace = self._executor.trace(step, identity, attempt.boot_id)
        rerunnable = recovery.rerunnable(attempt.script, walk.traits)
        resumption = recovery.resumption(trace.value, rerunnable=rerunnable)
        logger.info("found {} of an earlier coordinator {}: {}", attempt.script, trace, resumption)
        if resumption is recovery.Resumption.ADOPT:
            return self._wait(walk, attempt, step)
        if resumption is recovery.Resumption.START:
            return self._over(attempt, Outcome(Conclusion.NOT_STARTED, None, "", ""), walk)
        outcome = self._executor.collect(step)
        if trace is Trace.UNKNOWN and not outcome.detail:
            outcome = replace(outcome, detail="the host or the coordinator stopped while it ran")
        return self._over(attempt, outcome, walk)

    def _lost(self, walk: _Walk, attempt: AttemptRecord) -> AttemptRecord:
        """What a lost journal may have known of counts as interrupted; the start has ended what still ran (I13)."""
        detail = "the journal was lost while it may have run"
        return self._over(attempt, Outcome(Conclusion.INTERRUPTED, None, "", "", detail), walk)

    # -- what an outcome means ---------------------------------------------------------------------------------

    def _conclude(self, walk: _Walk, attempt: AttemptRecord) -> None:
        """Turn the end of one run into a move, into the next step, or into another try."""
        walk.unrecorded = attempt
        if attempt.ending is Ending.NOT_STARTED:
            self._try_again(walk, attempt)
            return
        if attempt.ending is Ending.INTERRUPTED and recovery.rerunnable(attempt.script, walk.traits):
            self._rerun(walk, attempt)
            return
        last = plan.step_for(walk.record, walk.attempts, walk.traits) is None
        ending = attempt.ending or Ending.INTERRUPTED
        verdict = plan.conclude(walk.life.state, attempt.script, ending, attempt.exit_code, last=last)
        if verdict.event is not None:
            self._move(walk, verdict.event, verdict.reason, words.ending(attempt.script, attempt, walk.detail))

    def _try_again(self, walk: _Walk, attempt: AttemptRecord) -> None:
        """A run that certainly never began may begin again; when the host keeps refusing, that is the answer."""
        self._journal.advance(finish=attempt, begin=None)
        walk.unrecorded = None
        if not walk.detail:
            return
        walk.starts_failed += 1
        logger.error("{}", walk.detail)
        if walk.starts_failed >= _STARTS:
            self._object(walk, Reason.CANNOT_START, walk.detail)
        elif self._stopping():
            walk.rests = True
        else:
            self._clock.sleep(_PAUSE_S)

    def _rerun(self, walk: _Walk, attempt: AttemptRecord) -> None:
        self._journal.advance(finish=attempt, begin=None)
        walk.unrecorded = None
        if self._stopping():
            walk.rests = True
        elif self._journal.count_resume(attempt.request_id) > recovery.MAX_RESUMES:
            self._object(walk, Reason.INTERRUPTED, f"{attempt.script} was interrupted again and again")

    def _object(self, walk: _Walk, reason: Reason, what: str) -> None:
        """End the present state without a run: there is nothing to run, or no sense in running it."""
        event = Event.FAIL if walk.life.state is State.RUNNING else Event.GIVE_UP
        self._move(walk, event, reason, what)

    def _move(self, walk: _Walk, event: Event, reason: Reason | None, what: str) -> None:
        due = event is Event.FAIL and plan.rollback_due(_action(walk.record), walk.attempts, walk.traits)
        message = {
            Event.SUCCEED: lambda: words.success(_action(walk.record)),
            Event.FAIL: lambda: words.failure(walk.record, reason or Reason.SCRIPT_FAILED, what),
            Event.ROLL_BACK: lambda: words.rolled_back(walk.record),
            Event.GIVE_UP: lambda: words.rollback_failed(walk.record, what),
        }[event]()
        if event is Event.GIVE_UP:
            reason = Reason.ROLLBACK_FAILED
        self._fire(walk, event, reason, message, settles=not due)
        if due and self._stopping():
            walk.rests = True  # the rollback is the next start's: this one is going away

    def _fire(self, walk: _Walk, event: Event, reason: Reason | None, message: str, *, settles: bool) -> None:
        walk.life.fire(
            event, at=self._clock.utc(), reason=reason, message=message, finish=walk.unrecorded, settles=settles
        )
        walk.unrecorded = None
        walk.settled = settles
        walk.record = replace(walk.record, state=walk.life.state, message=message, reason=reason or walk.record.reason)
        if not settles:
            self._publisher.progress(walk.record, walk.life.state)

    def _answer(self, walk: _Walk) -> None:
        record = self._journal.get(walk.record.request_id) or walk.record
        if not self._publisher.final(record):
            self._late()
        logger.info("{}: {}", record.state, record.message)
        self._executor.forget(record.request_id)

    # -- words -------------------------------------------------------------------------------------------------

    def _step(self, walk: _Walk, attempt: AttemptRecord) -> Step:
        record, component = walk.record, walk.component
        action = _action(record)
        return Step(
            request_id=record.request_id,
            attempt=attempt.number,
            lane=component.lock or record.component or "",
            component=record.component or "",
            action=action,
            directory=component.directory,
            script=attempt.script,
            arguments=(record.version or "",) if attempt.script == plan.UPDATE else (),
            version=record.version or "",
            rollback_of=record.request_id if action is Action.UPDATE else record.rollback_of or "",
            timeout_s=component.timeout_s,
            kill_grace_s=component.kill_grace_s,
        )


class _Watch:
    """Passes on what a running script shows."""

    def __init__(
        self,
        journal: Journal,
        publisher: Publisher,
        record: RequestRecord,
        attempt: AttemptRecord,
        must_stop: Callable[[], bool],
    ) -> None:
        self._journal = journal
        self._publisher = publisher
        self._record = record
        self._attempt = attempt
        self.must_stop = must_stop

    def started(self, identity: Identity) -> None:
        """Keep the session's identity, for a successor to find it by."""
        self._journal.identify(self._attempt.request_id, self._attempt.number, identity.pid, identity.start_ticks)

    def progressed(self, phase: str | None, percent: int | None) -> None:
        """Publish what the script reports."""
        script = self._attempt.script.removesuffix(".sh")
        self._publisher.progress(self._record, self._attempt.state, phase or script, percent)


def traits_of(component: Component) -> plan.Traits:
    """What the plan needs to know of a component's configuration."""
    return plan.Traits(
        verify_health=component.verify_health,
        rollback=component.on_failure == "rollback",
        rerun=component.on_interruption == "rerun",
    )


def _action(record: RequestRecord) -> Action:
    if record.action is None:
        raise LookupError(f"{record.request_id} was refused and has no action to run")
    return record.action
