"""What is said on the bus: our questions, and who speaks in a message of somebody else."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, ValidationError

from remote.settings import SELF

# Far more than anyone says. What is larger is not looked into: each of many would cost memory and time.
MESSAGE_BYTES = 256 * 1024


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    source: str


def question(root: str, component: str) -> tuple[str, bytes]:
    """The subject and the content of the question whether ``component`` lives."""
    return f"{root}.{component}.heartbeat", _message(
        subject="heartbeat",
        body="are you there?",
        destination=component,
        reply_subject=f"{root}.{SELF}.heartbeat",
    )


def echo(root: str) -> tuple[str, bytes]:
    """The subject and the content of what we say to ourselves, to see whether it comes back."""
    return f"{root}.{SELF}.echo", _message(subject="echo", body="is this heard?", destination=SELF)


def can_be_asked(component: str) -> bool:
    """Whether the name can be a part of a subject: where two dots meet, a server ends the connection."""
    return all(component.split("."))


def speaker(content: bytes) -> str | None:
    """The ``source`` of a message, in lower case; None for what is no message, which anybody may send."""
    if len(content) > MESSAGE_BYTES:
        return None
    try:
        return _Message.model_validate_json(content).source.strip().lower()
    except ValidationError:
        return None


def _message(**parts: str) -> bytes:
    return json.dumps({**parts, "source": SELF}).encode()
