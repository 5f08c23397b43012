"""Rows of the journal into records, and back. Decoding never raises: one row must not stop the others (I16)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
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
        component=component,
        action=_optional(_ACTIONS, action),
        version=version,
        requested_at=_stamp(requested_at),
        received_at=_stamp(received_at) or EPOCH,
        state=_known(_STATES, state),
        reason=_optional(_REASONS, reason),
        message=message,
        rollback_of=rollback_of,
        resumes=resumes,
        settled_at=None if settled_at is None else _stamp(settled_at) or EPOCH,
        published=bool(published),
        due_uptime=due_uptime if isinstance(due_uptime, float | int) else None,
        deferred_at=_stamp(deferred_at),
        deferred_why=deferred_why,
        row=rowid,
    )


def decode_attempt(row: Row) -> AttemptRecord:
    """The attempt in a row of ``ATTEMPT_COLUMNS``."""
    facts = {name: row[name] for name in ATTEMPT_COLUMNS}
    facts.update(
        state=_known(_STATES, row["state"]),
        started_at=_stamp(row["started_at"]) or EPOCH,
        ended_at=_stamp(row["ended_at"]),
        ending=_optional(_EXIT_KINDS, row["ending"]),
    )
    return AttemptRecord(**facts)


def decode_transition(row: Row) -> TransitionRecord:
    """The transition in a row of its table."""
    return TransitionRecord(
        request_id=row["request_id"],
        event=_known(_EVENTS, row["event"]),
        source=_known(_STATES, row["source"]),
        dest=_known(_STATES, row["dest"]),
        at=_stamp(row["at"]) or EPOCH,
        reason=_optional(_REASONS, row["reason"]),
        message=row["message"],
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
    return FailureRecord(request_id=row["request_id"], at=_stamp(row["at"]) or EPOCH, error=row["error"])


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


def _stamp(value: object) -> datetime | None:
    """The stamp in a column; None when there is none, or none that can be read."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at if at.tzinfo is UTC else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
