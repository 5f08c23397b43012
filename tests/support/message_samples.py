"""Real messages, whole and valid, for tests to change one thing of."""

import json
from datetime import UTC, datetime
from typing import Any

from protocol.messages import Attempt, FinalStatus, Progress
from protocol.types import Action, Reason, State

STAMP = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)


def request_fields(**changes: Any) -> dict[str, Any]:
    """The document's update request, with ``changes``; a field changed to ``...`` is left out."""
    fields = {
        "component": "core",
        "action": "update",
        "version": "1.2.3",
        "request_id": "r1",
        "timestamp": "2026-01-16T10:30:00Z",
    } | changes
    return {name: value for name, value in fields.items() if value is not ...}


def request_bytes(**changes: Any) -> bytes:
    """The same as a request file holds it."""
    return json.dumps(request_fields(**changes)).encode()


def final(request_id: str = "r1", message: str = "Update failed: unhealthy") -> FinalStatus:
    """An update that failed and was rolled back."""
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
    """A request that could not even be read."""
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
    """An update under way."""
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
