"""How commands print a request: colours per state, one line per request, errors."""

from __future__ import annotations

import sys
from datetime import datetime

from coordinator.texts import describe
from fsm.records import RequestRecord
from protocol.types import State, UnknownValue

COLOURS: dict[State, str] = {
    State.RECEIVED: "dim",
    State.VALIDATED: "dim",
    State.RUNNING: "cyan",
    State.SUCCEEDED: "green",
    State.FAILED: "red",
    State.ROLLED_BACK: "yellow",
}


def colour(state: State | UnknownValue) -> str:
    """The colour of a state; none for a state that this release does not know."""
    return COLOURS[state] if isinstance(state, State) else ""


def format_timestamp(stamp: datetime | None) -> str:
    """A stamp in the host's local time, to the second."""
    return "" if stamp is None else f"{stamp.astimezone():%Y-%m-%d %H:%M:%S}"


def day(stamp: datetime) -> str:
    """The host's local date."""
    return f"{stamp.astimezone():%Y-%m-%d}"


def time_of_day(stamp: datetime) -> str:
    """The host's local time, to the second."""
    return f"{stamp.astimezone():%H:%M:%S}"


def request_line(record: RequestRecord) -> str:
    """One request on one line."""
    return f"{record.request_id}: {describe(record)}, received {format_timestamp(record.received_at)}"


def print_error(message: str) -> int:
    """Print on stderr what is wrong, and return the exit code for it."""
    print(message, file=sys.stderr)  # noqa: T201
    return 1
