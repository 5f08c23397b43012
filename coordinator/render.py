"""How the commands show a request: colours per state, one line per request."""

from __future__ import annotations

from datetime import datetime

from coordinator.texts import asked
from fsm.records import RequestRecord
from protocol.types import State

COLOURS: dict[str, str] = {
    State.RECEIVED: "dim",
    State.VALIDATED: "dim",
    State.RUNNING: "cyan",
    State.SUCCEEDED: "green",
    State.FAILED: "red",
    State.ROLLED_BACK: "yellow",
}


def when(stamp: datetime | None) -> str:
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
    return f"{record.request_id}: {asked(record)}, received {when(record.received_at)}"
