"""JSON codec of the WebSocket: decodes and validates what clients send, encodes what they receive."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError

from remote.errors import RemoteError
from remote.events.envelope import SOURCE, OutgoingMessage

_NAME_CHARACTERS = 100
_EMPTY = (None, "", "null")  # DuneBugger's own clients send the text null for no body


class MessageInvalidError(RemoteError):
    """A client's message is invalid. The client's fault."""


class IncomingMessage(BaseModel):
    """A message from a client; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    subject: StrictStr
    body: Any = None
    source: StrictStr = Field(default="client", description="answers are addressed to it; controller is ignored")
    destination: StrictStr = SOURCE


class RequestBody(BaseModel):
    """Base of the bodies that clients send: an object, or nothing if no field is required."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    # Field → its rule, for the error message.
    RULES: ClassVar[dict[str, str]] = {}

    @classmethod
    def parse(cls, message: IncomingMessage) -> Self:
        """Validate the body of ``message``.

        Raises:
            MessageInvalidError: it is neither an object nor nothing, or a field is invalid; the message names it.
        """
        body = message.body
        if not isinstance(body, dict):
            if body is not None and body not in _EMPTY:
                raise MessageInvalidError(f"cannot execute {message.subject}: its body must be a JSON object")
            body = {}
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            name = str(error.errors(include_url=False, include_input=False)[0]["loc"][0])
            raise MessageInvalidError(f"cannot execute {message.subject}: {cls.RULES[name]}") from None


_COMPONENT_RULE = 'the body must name the component, as in {"component": "core"}'
_ComponentName = Annotated[
    StrictStr, Field(min_length=1, description="a name, such as core, or a display name, such as dunebugger-core")
]


class NoBody(RequestBody):
    """The body is ignored."""

    @classmethod
    def parse(cls, _message: IncomingMessage) -> Self:
        """Accept anything."""
        return cls()


class CheckBody(RequestBody):
    """What to compare."""

    RULES: ClassVar[dict[str, str]] = {"force": "force must be true or false"}

    force: StrictBool = Field(default=False, description="ask GitHub even when that is not due")


class ActionBody(RequestBody):
    """Which component to act on."""

    RULES: ClassVar[dict[str, str]] = {"component": _COMPONENT_RULE, "dry_run": "dry_run must be true or false"}

    component: _ComponentName
    dry_run: StrictBool = Field(default=False, description="submit nothing; answer with what would happen")


class NamedActionBody(ActionBody):
    """The same, or the component's name alone."""

    @classmethod
    def parse(cls, message: IncomingMessage) -> Self:
        """Validate the body of ``message``, an object or a name.

        Raises:
            MessageInvalidError: as the base class.
        """
        if isinstance(message.body, str):
            message = message.model_copy(update={"body": {"component": message.body}})
        return super().parse(message)


class HistoryBody(RequestBody):
    """Which requests to list."""

    RULES: ClassVar[dict[str, str]] = {"component": _COMPONENT_RULE}

    # Absent for all components; if present, it must be a name.
    component: _ComponentName = Field(default="", validate_default=False)


def decode(text: str | None) -> IncomingMessage:
    """Decode one message; ``text`` is None for a binary one.

    Raises:
        MessageInvalidError: not JSON text, not an object, or without a subject.
    """
    if text is None:
        raise MessageInvalidError("cannot decode the message: it is binary; send JSON text")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise MessageInvalidError("cannot decode the message: it is not JSON") from None
    if not isinstance(value, dict):
        raise MessageInvalidError("cannot decode the message: it is not a JSON object with subject and body")
    try:
        message = IncomingMessage.model_validate(value)
    except ValidationError:
        raise MessageInvalidError(
            "cannot decode the message: subject, source and destination must be text; subject is required"
        ) from None
    return message.model_copy(update={"source": message.source[:_NAME_CHARACTERS]})


def encode(message: OutgoingMessage) -> str:
    """The JSON text of one message; half a surrogate pair, which has no UTF-8 form, becomes ``?``."""
    fields: dict[str, Any] = {
        "subject": message.body.SUBJECT,
        "body": message.body.model_dump(mode="json"),
        "source": SOURCE,
        "destination": message.destination,
    }
    if message.number is not None:
        fields["seq"] = message.number
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode(errors="replace").decode()
