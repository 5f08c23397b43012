"""Rows of the journal into records, and back.

Decoding never raises, and every field has the type of its record: SQLite stores any type in any column, and one row
must not stop the others (I16). Only ids and numbers of attempts, which address rows, are left as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from math import isfinite
from typing import TypeVar

from fsm.database import Row
from fsm.records import AttemptRecord, FailureRecord, RecoveryRecord, RequestRecord, TransitionRecord
from fsm.recovery import RecoveryAction
from fsm.transition_table import Event
from protocol.types import Action, ExitKind, ProbeResult, Reason, State, UnknownValue

_Enum = TypeVar("_Enum", bound=StrEnum)

_ACTIONS: Mapping[object, Action] = {member.value: member for member in Action}
_STATES: Mapping[object, State] = {member.value: member for member in State}
_REASONS: Mapping[object, Reason] = {member.value: member for member in Reason}
_EVENTS: Mapping[object, Event] = {member.value: member for member in Event}
_EXIT_KINDS: Mapping[object, ExitKind] = {member.value: member for member in ExitKind}
_PROBE_RESULTS: Mapping[object, ProbeResult] = {member.value: member for member in ProbeResult}
_RECOVERY_ACTIONS: Mapping[object, RecoveryAction] = {member.value: member for member in RecoveryAction}

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # replaces a malformed time stamp
REQUEST_COLUMNS = (
    "rowid, id, component, action, version, requested_at, received_at, state, reason, message,"
    " rollback_of, resumes, settled_at, published, due_uptime, deferred_at, deferred_why"
)
ATTEMPT_COLUMNS = tuple(field.name for field in fields(AttemptRecord))


def decode_request_row(row: Row) -> RequestRecord:
    """The request in a row of ``REQUEST_COLUMNS``."""
    # Unpacked, because a lookup by name compares with one column after the other, and this runs five times per request.
    (
        rowid,
        request_id,
        component,
        action,
        version,
        requested_at,
        received_at,
        state,
        reason,
        message,
        rollback_of,
        resumes,
        settled_at,
        published,
        due_uptime,
        deferred_at,
        deferred_why,
    ) = row
    return RequestRecord(
        request_id=str(request_id),
        component=_text(component),
        action=_optional(_ACTIONS, action),
        version=_text(version),
        requested_at=_stamp(requested_at),
        received_at=_stamp(received_at) or EPOCH,
        state=_known(_STATES, state),
        reason=_optional(_REASONS, reason),
        message=_text(message) or "",
        rollback_of=_text(rollback_of),
        resumes=_integer(resumes) or 0,
        settled_at=None if settled_at is None else _stamp(settled_at) or EPOCH,
        published=bool(published),
        due_uptime=_real(due_uptime),
        deferred_at=_stamp(deferred_at),
        deferred_why=_text(deferred_why),
        row=rowid,
    )


def decode_attempt(row: Row) -> AttemptRecord:
    """The attempt in a row of ``ATTEMPT_COLUMNS``."""
    return AttemptRecord(
        request_id=row["request_id"],
        number=row["number"],
        state=_known(_STATES, row["state"]),
        script=_text(row["script"]) or "",
        boot_id=_text(row["boot_id"]) or "",
        started_at=_stamp(row["started_at"]) or EPOCH,
        started_monotonic=_real(row["started_monotonic"]) or 0.0,
        pid=_integer(row["pid"]),
        start_ticks=_integer(row["start_ticks"]),
        ended_at=_stamp(row["ended_at"]),
        seconds=_real(row["seconds"]),
        ending=_optional(_EXIT_KINDS, row["ending"]),
        exit_code=_integer(row["exit_code"]),
        output=_text(row["output"]) or "",
        error=_text(row["error"]) or "",
    )


def decode_transition(row: Row) -> TransitionRecord:
    """The transition in a row of its table."""
    return TransitionRecord(
        request_id=row["request_id"],
        event=_known(_EVENTS, row["event"]),
        source=_known(_STATES, row["source"]),
        dest=_known(_STATES, row["dest"]),
        at=_stamp(row["at"]) or EPOCH,
        reason=_optional(_REASONS, row["reason"]),
        message=_text(row["message"]) or "",
    )


def decode_recovery(row: Row) -> RecoveryRecord:
    """The recovery in a row of the table ``resumptions``."""
    return RecoveryRecord(
        request_id=row["request_id"],
        number=row["number"],
        at=_stamp(row["at"]) or EPOCH,
        probe=_known(_PROBE_RESULTS, row["trace"]),
        action=_known(_RECOVERY_ACTIONS, row["resumption"]),
    )


def decode_failure(row: Row) -> FailureRecord:
    """The failure in a row of its table."""
    return FailureRecord(request_id=row["request_id"], at=_stamp(row["at"]) or EPOCH, error=_text(row["error"]) or "")


def decode_state(value: object) -> State | UnknownValue:
    """The state in a column."""
    return _known(_STATES, value)


def encode_attempt(attempt: AttemptRecord) -> dict[str, object]:
    """An attempt's columns."""
    return vars(attempt) | {
        "started_at": encode_stamp(attempt.started_at),
        "ended_at": encode_stamp(attempt.ended_at),
        "output": encode_text(attempt.output),
        "error": encode_text(attempt.error),
    }


def encode_stamp(at: datetime | None) -> str | None:
    """A time stamp as ISO 8601 in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat()


def encode_text(value: str | None) -> str | None:
    r"""Text that SQLite accepts: a lone surrogate, such as JSON's ``"\ud800"``, becomes a question mark."""
    return None if value is None else value.encode("utf-8", "replace").decode("utf-8")


def _known(members: Mapping[object, _Enum], value: object) -> _Enum | UnknownValue:
    found = members.get(value)
    return UnknownValue(value) if found is None else found


def _optional(members: Mapping[object, _Enum], value: object) -> _Enum | UnknownValue | None:
    return None if value is None else _known(members, value)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _real(value: object) -> float | None:
    return value if isinstance(value, float | int) and isfinite(value) else None


def _stamp(value: object) -> datetime | None:
    """The stamp in a column; None when there is none, or none that can be read."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at if at.tzinfo is UTC else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
