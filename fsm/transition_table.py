"""The legal moves of a request's life, once, as data: machine, journal and diagram all read them here (I4)."""

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
    """One legal move; ``meaning`` says it to people, in the diagram and in ``explain``."""

    event: Event
    source: State
    dest: State
    meaning: str


TRANSITIONS: tuple[Transition, ...] = (
    Transition(Event.ACCEPT, State.RECEIVED, State.VALIDATED, "the request is well formed and may run"),
    Transition(Event.REFUSE, State.RECEIVED, State.FAILED, "the request is refused; no script ran"),
    Transition(
        Event.REFUSE, State.VALIDATED, State.FAILED, "the request was accepted but may not start; no script ran"
    ),
    Transition(Event.START, State.VALIDATED, State.RUNNING, "its turn has come; the first script is about to run"),
    Transition(Event.SUCCEED, State.RUNNING, State.SUCCEEDED, "every script it needs exited with 0"),
    Transition(Event.FAIL, State.RUNNING, State.FAILED, "a script failed, ran too long or was interrupted"),
    Transition(Event.ROLL_BACK, State.FAILED, State.ROLLED_BACK, "what was there before is back"),
    Transition(Event.GIVE_UP, State.FAILED, State.FAILED, "the rollback did not work, or is not wanted any more"),
)
