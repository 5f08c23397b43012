"""The legal transitions of a request, once, as data: machine, journal and diagram all read them here (I4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from protocol.types import State


class Event(StrEnum):
    """What can happen to a request."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    START = "start"
    SUCCEED = "succeed"
    FAIL = "fail"
    ROLL_BACK = "roll_back"
    GIVE_UP = "give_up"


@dataclass(frozen=True)
class Transition:
    """One legal transition."""

    event: Event
    source: State
    dest: State


TRANSITIONS: tuple[Transition, ...] = (
    Transition(Event.ACCEPT, State.RECEIVED, State.VALIDATED),  # every rule allows or defers it
    Transition(Event.REFUSE, State.RECEIVED, State.FAILED),  # rejected; no script ran
    Transition(Event.REFUSE, State.VALIDATED, State.FAILED),  # accepted, but may not start; no script ran
    Transition(Event.START, State.VALIDATED, State.RUNNING),  # its turn has come; the first script is about to run
    Transition(Event.SUCCEED, State.RUNNING, State.SUCCEEDED),  # every script it needs exited with 0
    Transition(Event.FAIL, State.RUNNING, State.FAILED),  # a script failed, timed out or was interrupted
    Transition(Event.ROLL_BACK, State.FAILED, State.ROLLED_BACK),  # rollback and health check passed
    Transition(Event.GIVE_UP, State.FAILED, State.FAILED),  # the rollback failed, or is not configured any more
)

# The event that settles a request as failed from each state, for any cause; None: the state is terminal.
FAILING_EVENT: dict[State, Event | None] = {
    State.RECEIVED: Event.REFUSE,
    State.VALIDATED: Event.REFUSE,
    State.RUNNING: Event.FAIL,
    State.FAILED: Event.GIVE_UP,
    State.SUCCEEDED: None,
    State.ROLLED_BACK: None,
}
