"""One request while its lane runs it: its record and attempts, and every write that advances it (I2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum, auto

from loguru import logger

from coordinator import texts
from coordinator.runtime import Runtime
from coordinator.settings import Component
from executors.interface import Outcome, ProcessId, ScriptRun
from fsm import script_plan
from fsm.errors import JournalUnavailableError
from fsm.machine import RequestMachine
from fsm.records import AttemptRecord, RequestRecord, TransitionFacts
from fsm.recovery import RecoveryAction
from fsm.transition_table import Event
from protocol.messages import Request
from protocol.types import Action, ProbeResult, Reason, State


class StepResult(Enum):
    """What one step of a request leads to."""

    CONTINUE = auto()  # to the next step
    SUSPEND = auto()  # it continues later: at the next start, or when it is due
    SETTLED = auto()  # it has its final answer


class ActiveRequest:
    """A request between its turn and its answer; one thread drives it.

    Nothing here starts, ends or publishes anything: a method returns after the journal holds what the caller acts on.

    Args:
        record: the request as the journal has it; its action is known to this release.
        component: its configuration.
        machine: performs its transitions, in the journal that has its attempts.
        runtime: clock and boot.

    Raises:
        LookupError: this release does not know the action; a newer one wrote the row.
    """

    def __init__(self, record: RequestRecord, component: Component, machine: RequestMachine, runtime: Runtime) -> None:
        if not isinstance(record.action, Action):
            raise LookupError(  # noqa: TRY004  a value, not a type
                f"cannot run request {record.request_id}: this release does not know action {record.action!r}"
            )
        self.record = record
        self.action: Action = record.action
        self.component = component
        self.policy = script_policy_of(component)
        self.attempts = machine.journal.attempts(record.request_id)
        self.failed_starts = 0
        self._journal = machine.journal
        self._machine = machine
        self._clock = runtime.clock
        self._boot_id = runtime.boot_id
        self._unrecorded: AttemptRecord | None = None  # the run that is over but not yet in the journal

    @property
    def state(self) -> State:
        """The request's state in the journal."""
        if not isinstance(self.record.state, State):
            raise LookupError(  # noqa: TRY004  as above
                f"cannot run request {self.record.request_id}: this release does not know state {self.record.state!r}"
            )
        return self.record.state

    @property
    def next_script(self) -> str | None:
        """The script that is due, None when there is none."""
        return script_plan.next_script(self.record, self.attempts, self.policy)

    @property
    def open_attempt(self) -> AttemptRecord | None:
        """The run that is not known to be over: an earlier coordinator began it, or its end could not be recorded."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].ending is None else None

    def as_request(self) -> Request:
        """The request as the rules get it."""
        record = self.record
        return Request(
            component=record.component or "",
            action=self.action,
            version=record.version,
            request_id=record.request_id,
            timestamp=record.requested_at or record.received_at,
        )

    def begin(self, script: str) -> AttemptRecord:
        """Commit that ``script`` is about to start; for the first one, also that the request runs."""
        is_first = self.state is State.VALIDATED
        attempt = AttemptRecord(
            request_id=self.record.request_id,
            number=self.attempts[-1].number + 1 if self.attempts else 1,  # a rebuilt journal may begin above 1
            state=State.RUNNING if is_first else self.state,
            script=script,
            boot_id=self._boot_id,
            started_at=self._clock.utc(),
            started_monotonic=self._clock.monotonic(),
        )
        if is_first:
            with self._journal.transaction():
                target = self._set_rollback_target() if self.action is Action.ROLLBACK else self.record.rollback_of
                started = self._machine.fire(
                    self.record, Event.START, TransitionFacts(attempt.started_at, begin=attempt)
                )
            self.record = replace(started, rollback_of=target)
        else:
            self._journal.advance(finish=self._unrecorded, begin=attempt)
            self._unrecorded = None
        self.attempts.append(attempt)
        return attempt

    def _set_rollback_target(self) -> str | None:
        """Record what a rollback undoes: the latest update at the time when its turn came (I8)."""
        target = self._journal.last_update(self.record.component or "")
        self._journal.set_rollback_of(self.record.request_id, target)
        return target

    def identify(self, attempt: AttemptRecord, process: ProcessId) -> None:
        """Record the worker's process for the next coordinator; if that fails, the claim in its run identifies it."""
        with _tolerated(attempt):
            self._journal.identify(attempt.request_id, attempt.number, process.pid, process.start_ticks)

    def record_recovery(self, attempt: AttemptRecord, probe: ProbeResult, action: RecoveryAction) -> None:
        """Record what a restart found of a run and does about it, for ``explain``."""
        with _tolerated(attempt):
            self._journal.record_recovery(attempt.request_id, attempt.number, self._clock.utc(), probe, action)

    def end(self, attempt: AttemptRecord, outcome: Outcome, *, observed: bool) -> AttemptRecord:
        """Keep the outcome of a run; it is committed with the next step or transition.

        Args:
            attempt: which run.
            outcome: its end.
            observed: whether this coordinator waited for it; else how long it ran is not known (I1).
        """
        seconds = round(max(0.0, self._clock.monotonic() - attempt.started_monotonic), 3)
        ended = replace(
            attempt,
            ended_at=self._clock.utc(),
            seconds=seconds if observed else None,
            ending=outcome.exit_kind,
            exit_code=outcome.exit_code,
            output=outcome.output,
            error=outcome.error,
        )
        self.attempts[-1] = self._unrecorded = ended
        return ended

    def record_end(self) -> None:
        """Commit the end of a run without a transition: the script is tried again."""
        self._journal.advance(finish=self._unrecorded, begin=None)
        self._unrecorded = None

    def count_resume(self) -> int:
        """Count one more start of a script that may have run; return how many there are, including it (I9)."""
        return self._journal.count_resume(self.record.request_id)

    def defer(self, until_uptime_s: float, why: str) -> StepResult:
        """Commit that the request waits."""
        self._journal.defer(self.record.request_id, self._clock.utc(), until_uptime_s, why)
        return StepResult.SUSPEND

    def refuse(self, reason: Reason, message: str) -> StepResult:
        """Settle a request that may not start after all."""
        return self._fire(Event.REFUSE, reason, message, settles=True)

    def move(self, event: Event, reason: Reason | None, what: str) -> StepResult:
        """Perform a transition; a failure with something to undo continues with its rollback, all else is settled.

        Args:
            event: succeed, fail, roll_back or give_up.
            reason: of a failure.
            what: how the last run ended, as text.
        """
        due = event is Event.FAIL and script_plan.rollback_due(self.action, self.attempts, self.policy)
        return self._fire(event, reason, texts.message(event, self.record, reason, what), settles=not due)

    def _fire(self, event: Event, reason: Reason | None, message: str, *, settles: bool) -> StepResult:
        facts = TransitionFacts(self._clock.utc(), reason, message, finish=self._unrecorded, settles=settles)
        self.record = self._machine.fire(self.record, event, facts)
        self._unrecorded = None
        return StepResult.SETTLED if settles else StepResult.CONTINUE

    def script_run(self, attempt: AttemptRecord) -> ScriptRun:
        """What the executor runs for ``attempt``."""
        record, component = self.record, self.component
        return ScriptRun(
            request_id=record.request_id,
            attempt=attempt.number,
            lane=component.lock or record.component or "",
            component=record.component or "",
            action=self.action,
            directory=component.directory,
            script=attempt.script,
            arguments=(record.version or "",) if attempt.script == script_plan.UPDATE else (),
            version=record.version or "",
            rollback_of=record.request_id if self.action is Action.UPDATE else record.rollback_of or "",
            timeout_s=component.timeout_s,
            kill_grace_s=component.kill_grace_s,
            memory_bytes=component.memory_bytes,
        )


@contextmanager
def _tolerated(attempt: AttemptRecord) -> Iterator[None]:
    """Log errors of writes that may be lost: the script runs, and an exception would end the wait for its deadline."""
    try:
        yield
    except JournalUnavailableError as error:
        logger.warning("cannot record what is known of {}: {}", attempt.script, error)


def script_policy_of(component: Component) -> script_plan.ScriptPolicy:
    """What the script plan needs to know of a component's configuration."""
    return script_plan.ScriptPolicy(
        verify_health=component.verify_health,
        rollback=component.on_failure == "rollback",
        rerun=component.on_interruption == "rerun",
    )
