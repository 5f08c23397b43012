"""Enumerations of the wire contract, and the error root of this package.

Separate from ``protocol.messages``: every process imports these, and pydantic is slow to import.
"""

from __future__ import annotations

from enum import StrEnum


class ProtocolError(Exception):
    """Root of the errors in the exchange of files between container and host."""


class UnknownValue(str):
    """A value of an enumeration that this release does not know, written by a newer one; the text as it was found.

    Readers of the journal and of the wire return it instead of raising: an answer with a new reason is still an answer.
    """

    __slots__ = ()


class Action(StrEnum):
    """The actions that a request can name."""

    UPDATE = "update"
    ROLLBACK = "rollback"
    HEALTH = "health"


class State(StrEnum):
    """The six states of a request; the legal transitions between them are data in ``fsm.transition_table``."""

    RECEIVED = "received"
    VALIDATED = "validated"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"


class Reason(StrEnum):
    """Why a request did not succeed: stable codes for programs; ``message`` explains it to people."""

    INVALID_REQUEST = "invalid_request"
    UNKNOWN_COMPONENT = "unknown_component"
    SCRIPT_MISSING = "script_missing"
    SCRIPT_UNSAFE = "script_unsafe"
    SCRIPT_FAILED = "script_failed"
    TIMEOUT = "timeout"
    UNHEALTHY = "unhealthy"
    INTERRUPTED = "interrupted"
    CANNOT_START = "cannot_start"
    ROLLBACK_FAILED = "rollback_failed"
    INTERNAL_ERROR = "internal_error"


class ExitKind(StrEnum):
    """How one run of a script ended, as far as it is known."""

    EXITED = "exited"
    TIMED_OUT = "timed_out"
    INTERRUPTED = "interrupted"
    NOT_STARTED = "not_started"


class ProbeResult(StrEnum):
    """What became of a run that an earlier coordinator started, as far as it can be known."""

    ALIVE = "alive"
    ENDED = "ended"
    NEVER_STARTED = "never_started"
    UNKNOWN = "unknown"
