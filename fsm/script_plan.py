"""Which script a request runs next, and what the end of a script means for it. Tables and pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fsm.records import AttemptRecord, RequestRecord
from fsm.transition_table import Event
from protocol.types import Action, ExitKind, Reason, State, UnknownValue

UPDATE, ROLLBACK, HEALTH_CHECK = "update.sh", "rollback.sh", "health-check.sh"

MAIN_SCRIPT: dict[Action, str] = {
    Action.UPDATE: UPDATE,
    Action.ROLLBACK: ROLLBACK,
    Action.HEALTH: HEALTH_CHECK,
}
UNDO_SCRIPT: dict[Action, str | None] = {
    Action.UPDATE: ROLLBACK,
    Action.ROLLBACK: None,
    Action.HEALTH: None,
}
REASON_OF_EXIT: dict[ExitKind, Reason] = {
    ExitKind.TIMED_OUT: Reason.TIMEOUT,
    ExitKind.INTERRUPTED: Reason.INTERRUPTED,
    ExitKind.NOT_STARTED: Reason.CANNOT_START,
    ExitKind.EXITED: Reason.SCRIPT_FAILED,
}
# Per state: the event of the last script's success, and that of any script's failure; None where no script runs.
OUTCOME_EVENTS: dict[State, tuple[Event, Event] | None] = {
    State.RECEIVED: None,
    State.VALIDATED: None,
    State.RUNNING: (Event.SUCCEED, Event.FAIL),
    State.FAILED: (Event.ROLL_BACK, Event.GIVE_UP),
    State.SUCCEEDED: None,
    State.ROLLED_BACK: None,
}


@dataclass(frozen=True)
class ScriptPolicy:
    """What a component's configuration says about its scripts.

    ``verify_health``: an update or rollback succeeds only if health-check.sh passes afterwards. ``rollback``: a failed
    update is rolled back. ``rerun``: an interrupted script may be started again (I3).
    """

    verify_health: bool
    rollback: bool
    rerun: bool


@dataclass(frozen=True)
class Decision:
    """What the end of a script means: ``event`` is None when the next script is due."""

    event: Event | None
    reason: Reason | None


def scripts_for(state: State, action: Action, policy: ScriptPolicy) -> tuple[str, ...]:
    """The scripts of one state in order; for failed, those of a rollback that is due."""
    main = MAIN_SCRIPT[action] if state is State.RUNNING else UNDO_SCRIPT[action] if state is State.FAILED else None
    if main is None:
        return ()
    return (main, HEALTH_CHECK) if policy.verify_health and main != HEALTH_CHECK else (main,)


def scripts_needed(action: Action, policy: ScriptPolicy) -> tuple[str, ...]:
    """Every script a request may need, each once; all are vetted before the first one starts."""
    undo = scripts_for(State.FAILED, action, policy) if policy.rollback else ()
    return tuple(dict.fromkeys(scripts_for(State.RUNNING, action, policy) + undo))


def is_rerunnable(script: str, policy: ScriptPolicy) -> bool:
    """Whether ``script`` may be started again after it may have run: health-check.sh always, others by setting (I3)."""
    return script == HEALTH_CHECK or policy.rerun


def rollback_due(action: Action | UnknownValue | None, attempts: Sequence[AttemptRecord], policy: ScriptPolicy) -> bool:
    """Whether a failure leaves something to undo: an attempt that is open, or unclear, may have changed things (I8)."""
    may_have_run = any(attempt.ending is not ExitKind.NOT_STARTED for attempt in attempts)
    return action is Action.UPDATE and policy.rollback and may_have_run


def next_script(record: RequestRecord, attempts: Sequence[AttemptRecord], policy: ScriptPolicy) -> str | None:
    """The next script of a request, None when it needs no more.

    A script counts as done once it exited with 0; asking again after an interruption returns the same one, and
    ``fsm.recovery`` decides whether it may be started again.
    """
    state = State.RUNNING if record.state is State.VALIDATED else record.state
    if not isinstance(record.action, Action) or not isinstance(state, State):
        return None
    if state is State.FAILED and not rollback_due(record.action, attempts, policy):
        return None
    scripts = scripts_for(state, record.action, policy)
    done = sum(attempt.state is state and has_succeeded(attempt.ending, attempt.exit_code) for attempt in attempts)
    return scripts[done] if done < len(scripts) else None


def has_succeeded(ending: ExitKind | UnknownValue | None, exit_code: int | None) -> bool:
    """Whether a script succeeded: it exited on its own, with 0."""
    return ending is ExitKind.EXITED and exit_code == 0


def classify_exit(state: State, script: str, ending: ExitKind, exit_code: int | None, *, last: bool) -> Decision:
    """What the end of ``script`` means for a request in ``state``.

    Args:
        state: the request's state while the script ran, running or failed.
        script: the script's file name.
        ending: how its run ended.
        exit_code: its exit code; 128 + n when signal n ended it, None when it is not known.
        last: whether it was the last script of this state.

    Raises:
        LookupError: no script runs in ``state``; a defect of the caller.
    """
    events = OUTCOME_EVENTS[state]
    if events is None:
        raise LookupError(f"cannot classify the end of {script}: no script runs in state {state}")
    success, failure = events
    if has_succeeded(ending, exit_code):
        return Decision(success if last else None, None)
    if state is State.FAILED:
        return Decision(failure, Reason.ROLLBACK_FAILED)
    unhealthy = script == HEALTH_CHECK and ending is ExitKind.EXITED
    return Decision(failure, Reason.UNHEALTHY if unhealthy else REASON_OF_EXIT[ending])
