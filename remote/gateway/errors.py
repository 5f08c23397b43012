"""Failure codes of the exchange with the host, and the error of a request that cannot be submitted."""

from __future__ import annotations

from enum import StrEnum

from protocol.client import SpoolMissingError, SpoolNotWritableError
from protocol.types import ProtocolError
from remote.errors import RemoteError


class FailureCode(StrEnum):
    """Why the coordinator has not answered: stable codes, beside those of ``protocol.types.Reason``."""

    VOLUME_MISSING = "volume_missing"
    NOT_WRITABLE = "not_writable"
    CANNOT_WRITE = "cannot_write"
    CANNOT_KEEP = "cannot_keep"
    COORDINATOR_NOT_RUNNING = "coordinator_not_running"
    REQUEST_LOST = "request_lost"
    NO_ANSWER = "no_answer"
    CANNOT_FOLLOW = "cannot_follow"


class SubmitError(RemoteError):
    """The request was not submitted; nothing happens on the host. The operator fixes it."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code


_CODES: tuple[tuple[type[ProtocolError], FailureCode], ...] = (
    (SpoolMissingError, FailureCode.VOLUME_MISSING),
    (SpoolNotWritableError, FailureCode.NOT_WRITABLE),
    (ProtocolError, FailureCode.CANNOT_WRITE),
)


def submit_error(error: ProtocolError) -> SubmitError:
    """The error to raise when ``protocol.client`` cannot write a request."""
    return SubmitError(next(code for kind, code in _CODES if isinstance(error, kind)), str(error))
