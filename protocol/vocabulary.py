"""The words of the wire contract: what may be asked, where a request may stand, why it may not have succeeded.

Apart from ``protocol.messages``, because these are known everywhere and pydantic is slow to load.
"""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What a request may ask for."""

    UPDATE = "update"
    ROLLBACK = "rollback"
    HEALTH = "health"


class State(StrEnum):
    """The six states of a request's life; the legal moves between them are data in ``fsm.table``."""

    RECEIVED = "received"
    VALIDATED = "validated"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"


class Reason(StrEnum):
    """Why a request did not succeed: stable codes that programs may compare; ``message`` says it to people."""

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
