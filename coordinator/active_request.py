"""One request on its way: what the journal knows of it, and every write that takes it further (I2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from loguru import logger

from coordinator import texts
from coordinator.settings import Component
from executors.interface import Outcome, ProcessId, ScriptRun
from fsm import script_plan
from fsm.errors import JournalUnavailableError
from fsm.journal import Journal
from fsm.machine import Life
from fsm.records import AttemptRecord, RequestRecord
from fsm.recovery import RecoveryAction
from fsm.transition_table import Event
from protocol.clock import Clock
from protocol.types import Action, ProbeResult, Reason, State


class ActiveRequest:
    """A request between its turn and its rest; one thread drives it.

    Nothing here starts, ends or publishes anything: a method that returned has written down what may be done next.

    Args:
        record: the request as the journal has it.
        life: its state, which moves with the journal.
        component: its configuration.
        boot_id: the present boot, for a successor to tell whether an attempt is of its own.
    """

    def __init__(
        self, record: RequestRecord, life: Life, component: Component, journal: Journal, clock: Clock, boot_id: str
    ) -> None:
        if record.action is None:
            raise LookupError(f"{record.request_id} was refused and has no action to run")
        self.record = record
        self.action: Action = record.action
        self.component = component
        self.traits = script_policy_of(component)
        self.attempts = journal.attempts(record.request_id)
        self.rests = False  # until the next start
        self.starts_failed = 0
        self._life = life
        self._journal = journal
        self._clock = clock
        self._boot_id = boot_id
        self._unrecorded: AttemptRecord | None = None  # the run that is over but not yet in the journal

    @property
    def state(self) -> State:
        """Where the request stands, in the journal as in memory."""
        return self._life.state

    @property
    def settled(self) -> bool:
        """Whether the request has its final answer."""
        return self.record.settled_at is not None

    @property
    def next_script(self) -> str | None:
        """The script that is due, None when there is none."""
        return script_plan.step_for(self.record, self.attempts, self.traits)

    @property
    def open_attempt(self) -> AttemptRecord | None:
        """The run that an earlier coordinator began and nobody saw end."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].ending is None else None

    def begin(self, script: str) -> AttemptRecord:
        """Write down that ``script`` is about to start; with the first of them, that the request runs."""
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
                if self.action is Action.ROLLBACK:
                    self._aim()
                self._life.fire(Event.START, at=attempt.started_at, begin=attempt)
            self.record = replace(self.record, state=self.state)
        else:
            self._journal.advance(finish=self._unrecorded, begin=attempt)
            self._unrecorded = None
        self.attempts.append(attempt)
        return attempt

    def _aim(self) -> None:
        """A rollback undoes the latest update there was when its turn came (I8)."""
        target = self._journal.last_update(self.record.component or "")
        self._journal.set_rollback_of(self.record.request_id, target)
        self.record = replace(self.record, rollback_of=target)

    def identify(self, attempt: AttemptRecord, identity: ProcessId) -> None:
        """Keep the session's identity, for a successor to find it by; its own claim tells it, should that fail."""
        with _if_there_is_room(attempt):
            self._journal.identify(attempt.request_id, attempt.number, identity.pid, identity.start_ticks)

    def note_resumption(self, attempt: AttemptRecord, trace: ProbeResult, resumption: RecoveryAction) -> None:
        """Keep what a restart found of a run and does about it, for ``explain``."""
        now = self._clock.utc()
        with _if_there_is_room(attempt):
            self._journal.note_resumption(attempt.request_id, attempt.number, now, trace, resumption)

    def end(self, attempt: AttemptRecord, outcome: Outcome, *, seen: bool) -> AttemptRecord:
        """Take in how a run ended; it is written down with the next step or move.

        Args:
            attempt: which run.
            outcome: its end.
            seen: whether we were there; when nobody was, nobody knows how long it ran either (I1).
        """
        seconds = round(max(0.0, self._clock.monotonic() - attempt.started_monotonic), 3)
        ended = replace(
            attempt,
            ended_at=self._clock.utc(),
            seconds=seconds if seen else None,
            ending=outcome.exit_kind,
            exit_code=outcome.exit_code,
            output=outcome.output,
            error=outcome.error,
        )
        self.attempts[-1] = self._unrecorded = ended
        return ended

    def note_end(self) -> None:
        """Write the run that ended down by itself: it is to be followed by another try."""
        self._journal.advance(finish=self._unrecorded, begin=None)
        self._unrecorded = None

    def count_resume(self) -> int:
        """How often a script of this request had to be started again after it may have run (I9)."""
        return self._journal.count_resume(self.record.request_id)

    def refuse(self, reason: Reason, message: str) -> None:
        """Settle a request that may not start after all."""
        self._fire(Event.REFUSE, reason, message, settles=True)

    def move(self, event: Event, reason: Reason | None, what: str) -> None:
        """Move as ``event`` says; a failure with something to undo goes on to its rollback, all else is settled.

        Args:
            event: succeed, fail, roll_back or give_up.
            reason: of a failure.
            what: how the last run ended, in words.
        """
        due = event is Event.FAIL and script_plan.rollback_due(self.action, self.attempts, self.traits)
        message = texts.message(event, self.record, reason, what)
        self._fire(event, reason, message, settles=not due)

    def _fire(self, event: Event, reason: Reason | None, message: str, *, settles: bool) -> None:
        at = self._clock.utc()
        self._life.fire(event, at=at, reason=reason, message=message, finish=self._unrecorded, settles=settles)
        self._unrecorded = None
        self.record = replace(
            self.record,
            state=self.state,
            message=message,
            reason=reason or self.record.reason,
            settled_at=at if settles else None,
        )

    def step(self, attempt: AttemptRecord) -> ScriptRun:
        """What the executor is asked to run for ``attempt``."""
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
def _if_there_is_room(attempt: AttemptRecord) -> Iterator[None]:
    """For notes that may fail: the script runs, and whoever turns away from it now misses its deadline."""
    try:
        yield
    except JournalUnavailableError as error:
        logger.warning("cannot note what is known of {}: {}", attempt.script, error)


def script_policy_of(component: Component) -> script_plan.ScriptPolicy:
    """What the plan needs to know of a component's configuration."""
    return script_plan.ScriptPolicy(
        verify_health=component.verify_health,
        rollback=component.on_failure == "rollback",
        rerun=component.on_interruption == "rerun",
    )
