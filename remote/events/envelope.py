"""The outgoing message: a typed body and its envelope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

SOURCE = "controller"
BROADCAST = "broadcast"
_FIELD_CHARACTERS = 40  # a field's name and punctuation in JSON, or a value that is not text


class BodyPart(BaseModel):
    """Base of the objects inside bodies."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class MessageBody(BodyPart):
    """Base of all bodies; ``SUBJECT`` names the message that carries the body."""

    SUBJECT: ClassVar[str]


class EventBody(MessageBody):
    """A body that the event bus numbers and delivers to all clients."""


class AnswerBody(MessageBody):
    """A body that answers a message of one client, without a number. A body may be both."""


@dataclass(frozen=True)
class OutgoingMessage:
    """A body with its envelope. Serialized only where it is sent; until then subscribers share the object.

    Attributes:
        body: the content.
        destination: ``BROADCAST``, or the name of the client that it answers.
        number: of an event, > 0; None for an answer to one client.
        size: estimated characters of its JSON text, by which queues are bounded (I12).
    """

    body: MessageBody
    destination: str = BROADCAST
    number: int | None = None
    size: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _estimate(self.body) + len(self.destination) + 3 * _FIELD_CHARACTERS)


def _estimate(value: Any) -> int:
    if isinstance(value, str):
        return len(value) + _FIELD_CHARACTERS
    if isinstance(value, BaseModel):
        return sum(_estimate(part) for part in value.__dict__.values())
    if isinstance(value, Mapping):
        return sum(len(str(key)) + _estimate(part) for key, part in value.items())
    if isinstance(value, list | tuple):
        return sum(_estimate(part) for part in value)
    return _FIELD_CHARACTERS
