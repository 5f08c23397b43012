"""The envelope of every message, in DuneBugger's own vocabulary: subject, body, source, destination."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, StrictStr, ValidationError

from remote.errors import RemoteError

SOURCE = "controller"
EVERYBODY = "broadcast"
_NAME_CHARACTERS = 100


class MessageInvalidError(RemoteError):
    """What a client sent is no message. The client's fault."""


class Incoming(BaseModel):
    """A message from a client; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    subject: StrictStr
    body: Any = None
    source: StrictStr = "client"
    destination: StrictStr = SOURCE


@dataclass(frozen=True)
class Event:
    """Something that happened, for everybody."""

    subject: str
    body: Any


def read(text: str | None) -> Incoming:
    """Understand one message; None stands for one that was binary.

    Raises:
        MessageInvalidError: not JSON text, not an object, or without a subject.
    """
    if text is None:
        raise MessageInvalidError("cannot understand the message: it is binary; send JSON text")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise MessageInvalidError("cannot understand the message: it is not JSON") from None
    if not isinstance(value, dict):
        raise MessageInvalidError("cannot understand the message: it is not a JSON object with subject and body")
    try:
        message = Incoming.model_validate(value)
    except ValidationError:
        raise MessageInvalidError(
            "cannot understand the message: subject, source and destination are text; subject is needed"
        ) from None
    return message.model_copy(update={"source": message.source[:_NAME_CHARACTERS]})


def event(number: int, subject: str, body: Any) -> str:
    """An event as it goes to everybody."""
    return _write(subject, body, EVERYBODY, {"seq": number})


def answer(subject: str, body: Any, destination: str) -> str:
    """An answer as it goes to the one who asked."""
    return _write(subject, body, destination, {})


def stamp(moment: datetime | None) -> str | None:
    """A moment as bodies tell it: ISO 8601, UTC."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _write(subject: str, body: Any, destination: str, more: dict[str, Any]) -> str:
    fields = {"subject": subject, "body": body, "source": SOURCE, "destination": destination} | more
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
