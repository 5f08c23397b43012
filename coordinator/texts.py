"""Sentences for people: one table per question, total over its enumeration."""

from __future__ import annotations

from collections.abc import Callable

from fsm.records import AttemptRecord, RequestRecord
from fsm.recovery import RecoveryAction
from fsm.transition_table import Event
from protocol.types import Action, ExitKind, Reason, UnknownValue

OptionalReason = Reason | UnknownValue | None

_LAST_SIGNAL = 64  # SIGRTMAX on Linux; exit codes above 128 + 64 are plain exit codes

SUCCESS: dict[Action, str] = {
    Action.UPDATE: "Update completed successfully",
    Action.ROLLBACK: "Rollback completed successfully",
    Action.HEALTH: "Healthy",
}
REMEDY: dict[Reason, str | None] = {
    Reason.INVALID_REQUEST: None,
    Reason.UNKNOWN_COMPONENT: None,
    Reason.SCRIPT_MISSING: None,
    Reason.SCRIPT_UNSAFE: None,
    Reason.TIMEOUT: "raise timeout_s if it needs longer",
    Reason.UNHEALTHY: "see error and output",
    Reason.SCRIPT_FAILED: "see error and output",
    Reason.INTERRUPTED: "submit a new request to try again",
    Reason.CANNOT_START: "free disk space, memory or processes on the host, then submit a new request",
    Reason.ROLLBACK_FAILED: "repair the component by hand",
    Reason.INTERNAL_ERROR: "see update-coordinator explain, and report this defect",
}
RECOVERY: dict[RecoveryAction, str] = {
    RecoveryAction.ADOPT: "found {script} still running: waited for it to end",
    RecoveryAction.COLLECT: "found that {script} had ended in the meantime: used its result",
    RecoveryAction.START: "found that {script} had not begun yet: it could still be started",
    RecoveryAction.INTERRUPT: "could not determine whether {script} had ended: did not run it a second time",
    RecoveryAction.RERUN: "could not determine whether {script} had ended: it may run again",
}


def describe(record: RequestRecord) -> str:
    """Action, component and version, as far as the request could be read."""
    words = [str(record.action or "request"), record.component or "(unreadable)", record.version or ""]
    return " ".join(word for word in words if word)


def describe_exit(script: str, attempt: AttemptRecord | None, detail: str = "") -> str:
    """How one run of ``script`` ended, as the middle of a sentence."""
    if attempt is None:
        return _not_started(script, None, detail)
    if isinstance(attempt.ending, ExitKind):
        return EXITS[attempt.ending](script, attempt, detail)
    return f"{script} ended in a way that this release does not know: {attempt.ending!r}"


def _not_started(script: str, _attempt: AttemptRecord | None, detail: str) -> str:
    return f"{script} could not be started{': ' + detail if detail else ''}"


def _timed_out(script: str, attempt: AttemptRecord, _detail: str) -> str:
    after = "at" if attempt.seconds is None else f"after {attempt.seconds:.0f} s,"
    return f"{script} was stopped {after} its time limit"


def _interrupted(script: str, _attempt: AttemptRecord, detail: str) -> str:
    return f"{script} was interrupted{': ' + detail if detail else ''}"


def _exited(script: str, attempt: AttemptRecord, _detail: str) -> str:
    code = attempt.exit_code or 0
    if 128 < code <= 128 + _LAST_SIGNAL:  # noqa: PLR2004  POSIX shells report a signal as 128 + its number
        return f"{script} was killed by signal {code - 128} (exit code {code})"
    return f"{script} ended with exit code {code}"


EXITS: dict[ExitKind, Callable[[str, AttemptRecord, str], str]] = {
    ExitKind.NOT_STARTED: _not_started,
    ExitKind.TIMED_OUT: _timed_out,
    ExitKind.INTERRUPTED: _interrupted,
    ExitKind.EXITED: _exited,
}


def describe_recovery(script: str, action: RecoveryAction | UnknownValue) -> str:
    """What a restarted coordinator found of ``script``, and what it did about it."""
    if isinstance(action, UnknownValue):
        return f"the coordinator was started again and recorded {action!r} for {script}"
    return f"the coordinator was started again and {RECOVERY[action].format(script=script)}"


def message(event: Event, record: RequestRecord, reason: OptionalReason, what: str) -> str:
    """The message of the final status when ``event`` happens to ``record``; ``what`` says how the last run ended."""
    compose = MESSAGES[event]
    return "" if compose is None else compose(record, reason, what)


def remedy(reason: OptionalReason) -> str | None:
    """What to do about a failure; None where the message contains it or nothing can be done."""
    return REMEDY[reason] if isinstance(reason, Reason) else None


def _succeeded(record: RequestRecord, _reason: OptionalReason, _what: str) -> str:
    return SUCCESS[record.action] if isinstance(record.action, Action) else ""


def _failed(record: RequestRecord, reason: OptionalReason, what: str) -> str:
    advice = remedy(reason)
    return f"{str(record.action or 'request').capitalize()} failed: {what}{'; ' + advice if advice else ''}"


def _rolled_back(record: RequestRecord, _reason: OptionalReason, _what: str) -> str:
    return f"{_failure(record)}; the previous version was restored"


def _gave_up(record: RequestRecord, reason: OptionalReason, what: str) -> str:
    if reason is not Reason.ROLLBACK_FAILED:
        return f"{_failure(record)}; it is not rolled back: {what}"
    return f"{_failure(record)}; rollback failed, too: {what}; {remedy(reason)}"


def _failure(record: RequestRecord) -> str:
    """What happened when the request failed, without its remedy."""
    return record.message.split("; ")[0]


MESSAGES: dict[Event, Callable[[RequestRecord, OptionalReason, str], str] | None] = {
    Event.ACCEPT: None,
    Event.REFUSE: None,  # the rule, or the vetting, supplies the message
    Event.START: None,
    Event.SUCCEED: _succeeded,
    Event.FAIL: _failed,
    Event.ROLL_BACK: _rolled_back,
    Event.GIVE_UP: _gave_up,
}
