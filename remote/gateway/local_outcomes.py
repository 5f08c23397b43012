"""Outcomes that are determined locally when the coordinator does not answer, from what this side can observe.

None is final: the coordinator's answer replaces it if it comes.
"""

from __future__ import annotations

from datetime import datetime

from remote.gateway.errors import FailureCode
from remote.submission import RecordedAnswer, SubmissionRecord

_LOOK = "check on the host with: systemctl status dunebugger-update-coordinator"


def not_running(record: SubmissionRecord, at: datetime) -> RecordedAnswer:
    """The coordinator did not take the request up, and it was withdrawn."""
    return _not_running(record, at, "the request was withdrawn, nothing was changed")


def not_withdrawn(record: SubmissionRecord, at: datetime) -> RecordedAnswer:
    """The coordinator did not take the request up, and it could not be withdrawn."""
    return _not_running(record, at, "the request could not be withdrawn, and will be executed when it runs again")


def _not_running(record: SubmissionRecord, at: datetime, end: str) -> RecordedAnswer:
    what = f"{record.action.capitalize()} failed: the update coordinator on the host does not accept requests"
    return _outcome(at, FailureCode.COORDINATOR_NOT_RUNNING, f"{what}; {end}; {_LOOK}")


def lost(record: SubmissionRecord, at: datetime) -> RecordedAnswer:
    """The request has no file and no answer: this side crashed before writing it, or another client took the answer."""
    return _outcome(
        at,
        FailureCode.REQUEST_LOST,
        f"{record.action.capitalize()} failed: the request is not in the shared folder, and has no answer; it was "
        f"never submitted, or another client took its answer; check on the host with: "
        f"update-coordinator status {record.request_id}",
    )


def no_answer(record: SubmissionRecord, at: datetime, timeout_s: float) -> RecordedAnswer:
    """The coordinator took the request up, and has not answered within ``timeout_s``."""
    return _outcome(
        at,
        FailureCode.NO_ANSWER,
        f"{record.action.capitalize()}: no answer within {timeout_s:g} s; it may still be under way, and its answer "
        f"is shown here when it comes; {_LOOK}",
    )


def cannot_follow(record: SubmissionRecord, at: datetime, error: Exception, failures: int) -> RecordedAnswer:
    """Following the request failed too often."""
    return _outcome(
        at,
        FailureCode.CANNOT_FOLLOW,
        f"{record.action.capitalize()}: cannot follow the request, {failures} times in a row: {error}; it may still be "
        f"under way, and its answer is shown here after a restart of dunebugger-remote; check on the host with: "
        f"update-coordinator status {record.request_id}",
    )


def _outcome(at: datetime, code: FailureCode, message: str) -> RecordedAnswer:
    return RecordedAnswer(success=False, state=None, reason=code, message=message, finished_at=at, is_final=False)
