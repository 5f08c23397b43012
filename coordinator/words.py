"""What the coordinator says to people: one table per question."""

from __future__ import annotations

from fsm.records import AttemptRecord, Ending, RequestRecord
from protocol.messages import Action, Reason

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


def success(action: Action) -> str:
    """The message of a request that succeeded."""
    return _SUCCESS[action]


def ending(script: str, attempt: AttemptRecord | None, detail: str = "") -> str:
    """How one run of ``script`` ended, as the middle of a sentence."""
    if attempt is None or attempt.ending is Ending.NOT_STARTED:
        return f"{script} could not be started{': ' + detail if detail else ''}"
    if attempt.ending is Ending.TIMED_OUT:
        return f"{script} was stopped after {attempt.seconds or 0:.0f} s, its time limit"
    if attempt.ending is Ending.INTERRUPTED:
        return f"{script} was interrupted{': ' + detail if detail else ''}"
    code = attempt.exit_code or 0
    if code > 128:  # noqa: PLR2004  the shell's way to name a signal
        return f"{script} was killed by signal {code - 128} (exit code {code})"
    return f"{script} ended with exit code {code}"


def failure(record: RequestRecord, reason: Reason, what: str) -> str:
    """The message of a request that failed: what happened, and what to do about it."""
    remedy = _REMEDY.get(reason)
    sentence = f"{str(record.action).capitalize()} failed: {what}"
    return f"{sentence}; {remedy}" if remedy else sentence


def rolled_back(record: RequestRecord) -> str:
    """The message of an update that was undone."""
    return f"{record.message.split('; ')[0]}; the previous version was restored"


def rollback_failed(record: RequestRecord, what: str) -> str:
    """The message of an update that could not be undone either."""
    return f"{record.message.split('; ')[0]}; rollback failed, too: {what}; the component needs a person"
