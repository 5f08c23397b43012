"""Why the host could not be asked: a code for programs, and a sentence with the remedy for people."""

from __future__ import annotations

from enum import StrEnum

from protocol.client import SpoolMissingError, SpoolNotWritableError
from protocol.types import ProtocolError
from remote.errors import RemoteError


class Trouble(StrEnum):
    """What keeps us from an answer: stable codes, beside those of ``protocol.types.Reason``."""

    VOLUME_MISSING = "volume_missing"
    NOT_WRITABLE = "not_writable"
    CANNOT_WRITE = "cannot_write"
    CANNOT_KEEP = "cannot_keep"
    COORDINATOR_NOT_RUNNING = "coordinator_not_running"
    REQUEST_LOST = "request_lost"
    NO_ANSWER = "no_answer"


class CannotAskError(RemoteError):
    """The request was not written; nothing happens on the host."""

    def __init__(self, trouble: Trouble, message: str) -> None:
        super().__init__(message)
        self.trouble = trouble


_TROUBLES: tuple[tuple[type[ProtocolError], Trouble], ...] = (
    (SpoolMissingError, Trouble.VOLUME_MISSING),
    (SpoolNotWritableError, Trouble.NOT_WRITABLE),
    (ProtocolError, Trouble.CANNOT_WRITE),
)


def cannot_ask(error: ProtocolError) -> CannotAskError:
    """What to raise when ``protocol`` refuses to write a request."""
    return CannotAskError(next(trouble for kind, trouble in _TROUBLES if isinstance(error, kind)), str(error))
