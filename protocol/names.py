"""Names that are safe as paths (I6), for both sides."""

from __future__ import annotations

import re

SUFFIX = ".json"
PROGRESS_SUFFIX = ".progress.json"

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

REQUEST_ID_RULE = (
    "a request id is 1 to 128 characters of A-Z a-z 0-9 . _ -, starts with a letter or digit "
    "and does not end in .progress"
)


def is_request_id(text: str) -> bool:
    """Whether ``text`` may name a request.

    An id ending in ``.progress`` is not one: its final status would carry the name under which the progress of
    another request appears, and a client would mistake a progress for its answer.
    """
    return _REQUEST_ID.fullmatch(text) is not None and not text.endswith(".progress")


def is_component(text: str) -> bool:
    """Whether ``text`` may name a component: 1 to 64 characters, safe as a path and in a log line."""
    return _COMPONENT.fullmatch(text) is not None


def stem_of(file_name: str) -> str | None:
    """The part of a request file's name before ``.json``; None for a name that is not a request's (wire contract)."""
    return file_name.removesuffix(SUFFIX) if file_name.endswith(SUFFIX) else None


def request_file(request_id: str) -> str:
    """The name of a request's file in ``requests/``."""
    return f"{request_id}{SUFFIX}"


def status_file(request_id: str) -> str:
    """The name of a request's final status in ``status/``."""
    return f"{request_id}{SUFFIX}"


def progress_file(request_id: str) -> str:
    """The name of a request's progress in ``status/``."""
    return f"{request_id}{PROGRESS_SUFFIX}"


def printable(text: str, limit: int = 80) -> str:
    """``text`` as a quoted ASCII literal of at most ``limit`` characters.

    Text from a container reaches logs, messages and terminals only through this function, so that it can neither
    forge a line nor move a cursor.
    """
    literal = ascii(text)
    return literal if len(literal) <= limit else f"{literal[: limit - 4]}...{literal[-1]}"
