"""Complete, valid messages for tests to modify."""

import json
from datetime import UTC, datetime
from typing import Any

from protocol.messages import Attempt, FinalStatus, Progress
from protocol.types import Action, Reason, State

STAMP = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)


def request_fields(**changes: Any) -> dict[str, Any]:
    """A valid update request with ``changes``; a field changed to ``...`` is omitted."""
    fields = {
        "component": "core",
        "action": "update",
        "version": "1.2.3",
        "request_id": "r1",
        "timestamp": "2026-01-16T10:30:00Z",
    } | changes
    return {name: value for name, value in fields.items() if value is not ...}


def request_bytes(**changes: Any) -> bytes:
    """The same as the content of a request file."""
    return json.dumps(request_fields(**changes)).encode()


def final(request_id: str = "r1", message: str = "Update failed: unhealthy") -> FinalStatus:
    """The final status of an update that failed and was rolled back."""
    return FinalStatus(
        request_id=request_id,
        component="core",
        action=Action.UPDATE,
        version="1.2.3",
        success=False,
        state=State.ROLLED_BACK,
        reason=Reason.UNHEALTHY,
        message=message,
        output="pulled\n",
        error="",
        exit_code=1,
        timestamp=STAMP,
        started_at=STAMP,
        finished_at=STAMP,
        attempts=(
            Attempt(script="update.sh", exit_code=0, seconds=1.5),
            Attempt(script="health-check.sh", exit_code=1, seconds=None),
        ),
    )


def refusal(request_id: str = "r1") -> FinalStatus:
    """The final status of a request that could not be decoded."""
    return FinalStatus(
        request_id=request_id,
        component=None,
        action=None,
        success=False,
        state=State.FAILED,
        reason=Reason.INVALID_REQUEST,
        message="cannot read the request",
        output="",
        error="",
        exit_code=None,
        timestamp=STAMP,
        started_at=None,
        finished_at=STAMP,
    )


def progress(request_id: str = "r1", seq: int = 0, percent: int | None = None, **ends: str) -> Progress:
    """The progress of a running update."""
    return Progress(
        request_id=request_id,
        component="core",
        action=Action.UPDATE,
        state=State.RUNNING,
        phase="pull",
        percent=percent,
        seq=seq,
        timestamp=STAMP,
        **ends,
    )
