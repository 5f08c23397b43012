"""The messages: request, final status and progress (wire contract).

Unknown fields of a request are ignored, so that newer clients keep working; every model is frozen.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetPydanticSchema, StrictBool, StrictInt, StrictStr
from pydantic_core import core_schema

from protocol.types import Action, Reason, State, UnknownValue


def _iso_8601(value: object) -> object:
    """Read a stamp with or without offset; without one it is the host's local time (wire contract).

    Only text is read: a number would be taken for seconds since 1970, which no client of this contract means.
    """
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("must be text in ISO 8601, such as 2026-01-16T10:30:00Z")  # noqa: TRY004  pydantic wants it
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not ISO 8601; write it as 2026-01-16T10:30:00Z") from None


Stamp = Annotated[datetime, BeforeValidator(_iso_8601)]
_Unknown = Annotated[
    UnknownValue,
    GetPydanticSchema(
        lambda _source, _handler: core_schema.no_info_after_validator_function(
            UnknownValue, core_schema.str_schema(strict=True, min_length=1, max_length=64)
        )
    ),
]
# Readers accept values beside the known members: a newer coordinator may have more of them.
AnyAction = Annotated[Action | _Unknown, Field(union_mode="left_to_right")]
AnyState = Annotated[State | _Unknown, Field(union_mode="left_to_right")]
AnyReason = Annotated[Reason | _Unknown, Field(union_mode="left_to_right")]


class Request(BaseModel):
    """One request of the container, ``requests/<request_id>.json``."""

    model_config = ConfigDict(frozen=True, extra="ignore", title="Request")

    component: StrictStr = Field(min_length=1, description="name of a configured component")
    action: Action
    version: StrictStr | None = Field(default=None, description="SemVer, optional leading v; required for update")
    request_id: StrictStr = Field(description="equals the stem of the file's name")
    timestamp: Stamp = Field(description="when the client wrote this, ISO 8601")


class Attempt(BaseModel):
    """One run of one script, in a final status."""

    model_config = ConfigDict(frozen=True)

    script: StrictStr
    exit_code: StrictInt | None = Field(description="128 + n when signal n ended it; null when it is not known")
    seconds: float | None = Field(ge=0, description="how long it ran; null when it is not known")


class FinalStatus(BaseModel):
    """The one answer to a request, ``status/<request_id>.json``; written once, never changed (I1)."""

    model_config = ConfigDict(frozen=True, title="FinalStatus")

    request_id: StrictStr
    component: StrictStr | None = Field(description="null when the request could not be read that far")
    action: AnyAction | None = Field(description="null when the request could not be read that far")
    version: StrictStr | None = None
    success: StrictBool
    state: AnyState
    reason: AnyReason | None = Field(description="null on success")
    message: StrictStr = Field(description="the same in plain words, with a remedy where there is one")
    output: StrictStr = Field(description="what the scripts wrote to stdout, in the order they ran")
    error: StrictStr = Field(description="what the scripts wrote to stderr, in the order they ran")
    exit_code: StrictInt | None = Field(description="of the script that decided the answer")
    timestamp: Stamp = Field(description="when the answer was settled")
    started_at: Stamp | None = Field(description="when the first script started; null when none did")
    finished_at: Stamp
    attempts: tuple[Attempt, ...] = ()


class Progress(BaseModel):
    """The present state of a request, ``status/<request_id>.progress.json``."""

    model_config = ConfigDict(frozen=True, title="Progress")

    request_id: StrictStr
    component: StrictStr
    action: AnyAction
    state: AnyState
    phase: StrictStr | None = Field(description="the script's last PHASE: line, else the running script's name")
    percent: StrictInt | None = Field(ge=0, le=100, description="the script's last PROGRESS: line")
    seq: StrictInt = Field(ge=0, description="grows with every replacement")
    timestamp: Stamp
    output: StrictStr = Field(default="", description="the last of what the running script wrote to stdout, 4 KiB")
    error: StrictStr = Field(default="", description="the last of what the running script wrote to stderr, 4 KiB")
