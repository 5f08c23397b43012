"""Drives requests along the table: journal first, memory second (I2)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from transitions import Machine, MachineError

from fsm.errors import IllegalTransitionError
from fsm.transition_table import TRANSITIONS, Event
from protocol.types import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from fsm.records import AttemptRecord, RequestRecord
    from protocol.types import Reason, UnknownValue


class MoveRecorder(Protocol):
    """The journal, as far as a life needs it."""

    def record_transition(
        self,
        request_id: str,
        event: Event,
        source: State,
        dest: State,
        *,
        at: datetime,
        reason: Reason | UnknownValue | None,
        message: str,
        finish: AttemptRecord | None,
        begin: AttemptRecord | None,
        settles: bool,
    ) -> None:
        """Write one move durably, or raise and write nothing."""


class Life:
    """One request's state in memory. It moves only after the journal has written the move down."""

    __slots__ = ("_machine", "request_id", "state")

    def __init__(self, machine: Machine, request_id: str, state: State) -> None:
        self._machine = machine
        self.request_id = request_id
        self.state = state

    def fire(
        self,
        event: Event,
        *,
        at: datetime,
        reason: Reason | UnknownValue | None = None,
        message: str = "",
        finish: AttemptRecord | None = None,
        begin: AttemptRecord | None = None,
        settles: bool = False,
    ) -> None:
        """Move as ``event`` says, with everything that becomes true in the same instant.

        Args:
            event: what happened.
            at: when, aware UTC.
            reason: the stable code of a failure.
            message: the same in words.
            finish: the attempt that ended with this move.
            begin: the attempt that this move announces; its script starts only after this returned (I2).
            settles: whether the request has its final answer with this move.

        Raises:
            IllegalMoveError: the table has no such move from here; the caller's fault.
            JournalError: the journal did not take it. Either way the state is what it was.
        """
        try:
            # Asked through the event, not through a method on the model: a registered model would gain some thirty
            # attributes and stay in machine.models for ever (I12).
            self._machine.events[event].trigger(
                self, at=at, reason=reason, message=message, finish=finish, begin=begin, settles=settles
            )
        except MachineError:
            raise IllegalTransitionError(
                f"cannot {event} request {self.request_id}: it is {self.state}; fsm.transition_table lists the legal moves"
            ) from None


class RequestMachine:
    """The one state machine. It holds no request, so any number of threads may drive theirs through it at once."""

    def __init__(self, journal: MoveRecorder) -> None:
        self._journal = journal
        self._machine = Machine(
            model=None,
            states=State,
            initial=State.RECEIVED,
            # Looked up by member name, which is what transitions calls an Enum state.
            transitions=[[move.event, move.source.name, move.dest.name] for move in TRANSITIONS],
            auto_transitions=False,
            send_event=True,
            # What raises here leaves the state alone; raised any later it would not.
            before_state_change=self._record,
        )

    @contextmanager
    def of(self, record: RequestRecord) -> Iterator[Life]:
        """The life of one request, for as long as the caller alone drives it; kept any longer it would grow stale."""
        yield Life(self._machine, record.request_id, record.state)

    def _record(self, happening: Any) -> None:
        move = happening.transition
        self._journal.record_transition(
            happening.model.request_id,
            happening.event.name,
            State[move.source],
            State[move.dest],
            **happening.kwargs,
        )
