"""Reads the bodies of messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remote.api.envelope import Incoming, MessageInvalidError

_NOTHING = (None, "", "null")


def fields(message: Incoming) -> Mapping[str, Any]:
    """The body's fields; DuneBugger's own clients send the word null for none.

    Raises:
        MessageInvalidError: it is neither an object nor nothing.
    """
    if isinstance(message.body, dict):
        return message.body
    if message.body is None or message.body in _NOTHING:
        return {}
    raise MessageInvalidError(f"cannot do {message.subject}: its body must be a JSON object")


def component(body: Mapping[str, Any]) -> str:
    """The component that the body names.

    Raises:
        MessageInvalidError: it names none.
    """
    name = body.get("component")
    if not isinstance(name, str) or not name:
        raise MessageInvalidError('cannot do this: the body must name the component, as in {"component": "core"}')
    return name


def flag(body: Mapping[str, Any], name: str) -> bool:
    """Whether a flag is set; it is not where it is left out.

    Raises:
        MessageInvalidError: it is neither true nor false.
    """
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise MessageInvalidError(f"cannot do this: {name} must be true or false")
    return value
