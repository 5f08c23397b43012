"""What the coordinator says to people: one table per question."""

from __future__ import annotations

from collections.abc import Callable

from fsm.records import AttemptRecord, RequestRecord
from fsm.recovery import RecoveryAction
from fsm.transition_table import Event
from protocol.types import Action, ExitKind, Reason

_SUCCESS = {
    Action.UPDATE: "Update completed successfully",
    Action.ROLLBACK: "Rollback completed successfully",
    Action.HEALTH: "Healthy",
}
_REMEDY = {
    Reason.TIMEOUT: "raise timeout_s if it needs longer",
    Reason.UNHEALTHY: "see error and output",
    Reason.SCRIPT_FAILED: "see error and output",
    Reason.INTERRUPTED: "submit a new request to try again",
    Reason.CANNOT_START: "free disk space, memory or processes on the host, then submit a new request",
    Reason.ROLLBACK_FAILED: "the component needs a person",
}
_RESUMED = {
    RecoveryAction.ADOPT: "found {script} still running: waited for it to end",
    RecoveryAction.COLLECT: "found that {script} had ended in the meantime: took its result",
    RecoveryAction.START: "found that {script} had not begun yet: it could still be started",
    RecoveryAction.INTERRUPT: "could not tell how far {script} had come: did not run it a second time",
    RecoveryAction.RERUN: "could not tell how far {script} had come: it was one that may run again",
}


def asked(record: RequestRecord) -> str:
    """Action, component and version, as far as the request could be read."""
    words = [str(record.action or "request"), record.component or "(unreadable)", record.version or ""]
    return " ".join(word for word in words if word)


def ending(script: str, attempt: AttemptRecord | None, detail: str = "") -> str:
    """How one run of ``script`` ended, as the middle of a sentence."""
    if attempt is None or attempt.ending is ExitKind.NOT_STARTED:
        return f"{script} could not be started{': ' + detail if detail else ''}"
    if attempt.ending is ExitKind.TIMED_OUT:
        after = "at" if attempt.seconds is None else f"after {attempt.seconds:.0f} s,"
        return f"{script} was stopped {after} its time limit"
    if attempt.ending is ExitKind.INTERRUPTED:
        return f"{script} was interrupted{': ' + detail if detail else ''}"
    code = attempt.exit_code or 0
    if code > 128:  # noqa: PLR2004  the shell's way to name a signal
        return f"{script} was killed by signal {code - 128} (exit code {code})"
    return f"{script} ended with exit code {code}"


def resumed(script: str, resumption: RecoveryAction) -> str:
    """What a coordinator that was started again found of ``script``, and what it did about it."""
    return f"the coordinator was started again and {_RESUMED[resumption].format(script=script)}"


def message(event: Event, record: RequestRecord, reason: Reason | None, what: str) -> str:
    """What the container reads when ``event`` happens to ``record``; ``what`` says how the last run ended."""
    return _MESSAGES[event](record, reason, what)


def _succeeded(record: RequestRecord, _reason: Reason | None, _what: str) -> str:
    return _SUCCESS[record.action] if record.action else ""


def _failed(record: RequestRecord, reason: Reason | None, what: str) -> str:
    """What happened, and what to do about it."""
    remedy = _REMEDY.get(reason) if reason else None
    return f"{str(record.action).capitalize()} failed: {what}{'; ' + remedy if remedy else ''}"


def _rolled_back(record: RequestRecord, _reason: Reason | None, _what: str) -> str:
    return f"{_failure(record)}; the previous version was restored"


def _gave_up(record: RequestRecord, reason: Reason | None, what: str) -> str:
    if reason is not Reason.ROLLBACK_FAILED:
        return f"{_failure(record)}; it is not rolled back: {what}"
    return f"{_failure(record)}; rollback failed, too: {what}; {_REMEDY[reason]}"


def _failure(record: RequestRecord) -> str:
    """Of a failure that goes on, what happened, without the advice."""
    return record.message.split("; ")[0]


_MESSAGES: dict[Event, Callable[[RequestRecord, Reason | None, str], str]] = {
    Event.SUCCEED: _succeeded,
    Event.FAIL: _failed,
    Event.ROLL_BACK: _rolled_back,
    Event.GIVE_UP: _gave_up,
}
