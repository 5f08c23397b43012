"""The state machine: journal first, memory second (I2)."""

from __future__ import annotations

from typing import Any

from transitions import Machine, MachineError

from fsm.errors import IllegalTransitionError
from fsm.journal import Journal
from fsm.records import RequestRecord, TransitionFacts
from fsm.transition_table import FAILING_EVENT, TRANSITIONS, Event, Transition
from protocol.types import State


class _Model:
    """The model object of the library ``transitions``: one request during one transition."""

    __slots__ = ("record", "state")

    def __init__(self, record: RequestRecord) -> None:
        self.record = record
        self.state = record.state


class RequestMachine:
    """Performs the transitions of requests. It holds no request, so threads may share it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._machine = Machine(
            model=None,
            states=State,
            initial=State.RECEIVED,
            # By member name, which is how the library looks up a state given as an Enum.
            transitions=[[each.event, each.source.name, each.dest.name] for each in TRANSITIONS],
            auto_transitions=False,
            send_event=True,
            # An exception here leaves the state unchanged; in a later callback it would not.
            before_state_change=self._record,
        )

    def fire(self, record: RequestRecord, event: Event, facts: TransitionFacts) -> RequestRecord:
        """Commit one transition to the journal, then return the request as it is after it.

        Args:
            record: the request as it is now.
            event: what happened.
            facts: what becomes true with it.

        Raises:
            IllegalTransitionError: the table has no such transition from the present state; the caller's fault.
            JournalError: the journal could not record it; the request is unchanged.
        """
        model = _Model(record)
        if not isinstance(record.state, State):
            raise IllegalTransitionError(
                f"cannot {event} request {record.request_id}: this release does not know its state {record.state!r}; "
                "install the release that wrote it, or a later one"
            )
        try:
            # Triggered through the event: a registered model would gain thirty attributes and stay referenced (I12).
            self._machine.events[event].trigger(model, facts=facts)
        except MachineError:
            raise IllegalTransitionError(
                f"cannot {event} request {record.request_id}: it is {record.state}; fsm.transition_table lists the "
                "legal transitions"
            ) from None
        return model.record

    def fail(self, record: RequestRecord, facts: TransitionFacts) -> RequestRecord:
        """Settle a request as failed, from each state that is not terminal.

        Raises:
            IllegalTransitionError: its state is terminal, or this release does not know it.
            JournalError: as ``fire``.
        """
        event = FAILING_EVENT[record.state] if isinstance(record.state, State) else Event.FAIL
        return self.fire(record, event or Event.FAIL, facts)

    def _record(self, event_data: Any) -> None:
        transition, model = event_data.transition, event_data.model
        model.record = self.journal.record_transition(
            model.record.request_id,
            Transition(Event(event_data.event.name), State[transition.source], State[transition.dest]),
            event_data.kwargs["facts"],
        )
