"""NATS messages: heartbeat requests and the echo of this program, and the sender of any received message."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, ValidationError

from remote.settings import SELF

# Far larger than any component's message. Larger ones are not parsed: a flood of them would cost memory and time.
MESSAGE_BYTES = 256 * 1024


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    source: str


def heartbeat_request(root: str, component: str) -> tuple[str, bytes]:
    """Return subject and content of a heartbeat request to ``component``."""
    return f"{root}.{component}.heartbeat", _encode(
        subject="heartbeat",
        body="are you there?",
        destination=component,
        reply_subject=f"{root}.{SELF}.heartbeat",
    )


def echo_message(root: str) -> tuple[str, bytes]:
    """Return subject and content of a message to this program itself, which tests the connection both ways."""
    return f"{root}.{SELF}.echo", _encode(subject="echo", body="is this heard?", destination=SELF)


def has_valid_subject(component: str) -> bool:
    """Whether the name can be part of a subject: for an empty token, a server closes the connection."""
    return all(component.split("."))


def parse_sender(content: bytes) -> str | None:
    """Return the ``source`` of a message in lower case; None for content that is not a message, never an error."""
    if len(content) > MESSAGE_BYTES:
        return None
    try:
        return _Message.model_validate_json(content).source.strip().lower()
    except ValidationError:
        return None


def _encode(**fields: str) -> bytes:
    return json.dumps({**fields, "source": SELF}).encode()
