"""Rows of the journal into records, and back. Decoding never raises: one row must not stop the others (I16)."""

from __future__ import annotations

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

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # replaces a malformed time stamp
REQUEST_COLUMNS = (
    "id, component, action, version, requested_at, received_at, state, reason, message,"
    " rollback_of, resumes, settled_at, published, due_uptime, deferred_at, deferred_why"
)
ATTEMPT_COLUMNS = tuple(field.name for field in fields(AttemptRecord))


def decode_request(row: Row) -> RequestRecord:
    """The request in a row of ``REQUEST_COLUMNS``."""
    return RequestRecord(
        request_id=str(row["id"]),
        component=row["component"],
        action=_optional(Action, row["action"]),
        version=row["version"],
        requested_at=_stamp(row["requested_at"]),
        received_at=_stamp(row["received_at"]) or EPOCH,
        state=_known(State, row["state"]),
        reason=_optional(Reason, row["reason"]),
        message=row["message"],
        rollback_of=row["rollback_of"],
        resumes=row["resumes"],
        settled_at=None if row["settled_at"] is None else _stamp(row["settled_at"]) or EPOCH,
        published=bool(row["published"]),
        due_uptime=row["due_uptime"],
        deferred_at=_stamp(row["deferred_at"]),
        deferred_why=row["deferred_why"],
    )


def decode_attempt(row: Row) -> AttemptRecord:
    """The attempt in a row of ``ATTEMPT_COLUMNS``."""
    facts = {name: row[name] for name in ATTEMPT_COLUMNS}
    facts.update(
        state=_known(State, row["state"]),
        started_at=_stamp(row["started_at"]) or EPOCH,
        ended_at=_stamp(row["ended_at"]),
        ending=_optional(ExitKind, row["ending"]),
    )
    return AttemptRecord(**facts)


def decode_transition(row: Row) -> TransitionRecord:
    """The transition in a row of its table."""
    return TransitionRecord(
        request_id=row["request_id"],
        event=_known(Event, row["event"]),
        source=_known(State, row["source"]),
        dest=_known(State, row["dest"]),
        at=_stamp(row["at"]) or EPOCH,
        reason=_optional(Reason, row["reason"]),
        message=row["message"],
    )


def decode_recovery(row: Row) -> RecoveryRecord:
    """The recovery in a row of the table ``resumptions``."""
    return RecoveryRecord(
        request_id=row["request_id"],
        number=row["number"],
        at=_stamp(row["at"]) or EPOCH,
        probe=_known(ProbeResult, row["trace"]),
        action=_known(RecoveryAction, row["resumption"]),
    )


def decode_failure(row: Row) -> FailureRecord:
    """The failure in a row of its table."""
    return FailureRecord(request_id=row["request_id"], at=_stamp(row["at"]) or EPOCH, error=row["error"])


def decode_state(value: object) -> State | UnknownValue:
    """The state in a column."""
    return _known(State, value)


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


def _known(kind: type[_Enum], value: object) -> _Enum | UnknownValue:
    try:
        return kind(str(value))
    except ValueError:
        return UnknownValue(value)


def _optional(kind: type[_Enum], value: object) -> _Enum | UnknownValue | None:
    return None if value is None else _known(kind, value)


def _stamp(value: object) -> datetime | None:
    """The stamp in a column; None when the column is empty or malformed."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
