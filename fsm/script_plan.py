"""What a request does next, and what an ended script means for it. Tables and pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm.transition_table import Event
from protocol.types import Action, ExitKind, Reason, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsm.records import AttemptRecord, RequestRecord

UPDATE, ROLLBACK, HEALTH_CHECK = "update.sh", "rollback.sh", "health-check.sh"

_MAIN_SCRIPT: dict[tuple[State, Action], str] = {
    (State.RUNNING, Action.UPDATE): UPDATE,
    (State.RUNNING, Action.ROLLBACK): ROLLBACK,
    (State.RUNNING, Action.HEALTH): HEALTH_CHECK,
    (State.FAILED, Action.UPDATE): ROLLBACK,
}
_REASON_OF_ENDING: dict[ExitKind, Reason] = {
    ExitKind.TIMED_OUT: Reason.TIMEOUT,
    ExitKind.INTERRUPTED: Reason.INTERRUPTED,
    ExitKind.NOT_STARTED: Reason.CANNOT_START,
    ExitKind.EXITED: Reason.SCRIPT_FAILED,
}
# Per state: the event of the last script's success, and that of any script's failure.
_EVENTS: dict[State, tuple[Event, Event]] = {
    State.RUNNING: (Event.SUCCEED, Event.FAIL),
    State.FAILED: (Event.ROLL_BACK, Event.GIVE_UP),
}


@dataclass(frozen=True)
class ScriptPolicy:
    """What a component's configuration says about its scripts.

    ``verify_health``: an update or rollback counts only once health-check.sh agrees. ``rollback``: a failed update is
    rolled back. ``rerun``: an interrupted script may be started again (I3).
    """

    verify_health: bool
    rollback: bool
    rerun: bool


@dataclass(frozen=True)
class Decision:
    """What an ended script means: ``event`` is None when the next script is due."""

    event: Event | None
    reason: Reason | None


def scripts_for(state: State, action: Action, traits: ScriptPolicy) -> tuple[str, ...]:
    """The scripts of one state in order; for failed, those of a rollback that is due."""
    main = _MAIN_SCRIPT.get((state, action))
    if main is None:
        return ()
    return (main, HEALTH_CHECK) if traits.verify_health and main != HEALTH_CHECK else (main,)


def scripts_needed(action: Action, traits: ScriptPolicy) -> tuple[str, ...]:
    """Every script a request may come to need, each once; all are vetted before the first one starts."""
    undo = scripts_for(State.FAILED, action, traits) if traits.rollback else ()
    return tuple(dict.fromkeys(scripts_for(State.RUNNING, action, traits) + undo))


def rollback_due(action: Action | None, attempts: Sequence[AttemptRecord], traits: ScriptPolicy) -> bool:
    """Whether a failure leaves something to undo: an attempt that is open, or unclear, may have changed things (I8)."""
    may_have_run = any(attempt.ending is not ExitKind.NOT_STARTED for attempt in attempts)
    return action is Action.UPDATE and traits.rollback and may_have_run


def step_for(record: RequestRecord, attempts: Sequence[AttemptRecord], traits: ScriptPolicy) -> str | None:
    """The next script of a request, None when it needs no more.

    A script counts as done once it exited with 0; asking again after an interruption names the same one, and whether
    it may be started again is for ``fsm.recovery`` to say.
    """
    state = State.RUNNING if record.state is State.VALIDATED else record.state
    if record.action is None or (state is State.FAILED and not rollback_due(record.action, attempts, traits)):
        return None
    scripts = scripts_for(state, record.action, traits)
    done = sum(attempt.state is state and succeeded(attempt.ending, attempt.exit_code) for attempt in attempts)
    return scripts[done] if done < len(scripts) else None


def succeeded(ending: ExitKind | None, exit_code: int | None) -> bool:
    """Whether a script did what it was asked: it exited by itself, with 0."""
    return ending is ExitKind.EXITED and exit_code == 0


def classify_exit(state: State, script: str, ending: ExitKind, exit_code: int | None, *, last: bool) -> Decision:
    """What the end of ``script`` means for a request in ``state`` (running or failed).

    Args:
        state: the request's state while the script ran.
        script: the script's file name.
        ending: how its run ended.
        exit_code: its exit code; 128 + n when signal n ended it, None when it is not known.
        last: whether it was the last script of this state.
    """
    success, failure = _EVENTS[state]
    if succeeded(ending, exit_code):
        return Decision(success if last else None, None)
    if state is State.FAILED:
        return Decision(failure, Reason.ROLLBACK_FAILED)
    unhealthy = script == HEALTH_CHECK and ending is ExitKind.EXITED
    return Decision(failure, Reason.UNHEALTHY if unhealthy else _REASON_OF_ENDING[ending])
