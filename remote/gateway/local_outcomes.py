"""What we tell people when the coordinator does not answer: true as far as can be known from here."""

from __future__ import annotations

from datetime import datetime

from remote.gateway.errors import Trouble
from remote.store import Answer, Record

_LOOK = "look on the host with: systemctl status dunebugger-update-coordinator"


def not_running(record: Record, at: datetime) -> Answer:
    """Nobody took the request up, and it was withdrawn."""
    return _not_running(record, at, "the request was withdrawn, nothing was changed")


def stays(record: Record, at: datetime) -> Answer:
    """Nobody took the request up, and it could not be withdrawn."""
    return _not_running(record, at, "the request could not be withdrawn, and will be carried out once it runs")


def _not_running(record: Record, at: datetime, end: str) -> Answer:
    what = f"{record.action.capitalize()} failed: the update coordinator on the host takes no requests"
    return _verdict(at, Trouble.COORDINATOR_NOT_RUNNING, f"{what}; {end}; {_LOOK}")


def lost(record: Record, at: datetime) -> Answer:
    """It is gone without an answer: we died before it was written, or somebody else took the answer."""
    return _verdict(
        at,
        Trouble.REQUEST_LOST,
        f"{record.action.capitalize()} failed: the request is gone from the shared folder, and nobody answers; it was "
        f"never asked, or somebody else took its answer; the host knows: update-coordinator status {record.request_id}",
    )


def no_answer(record: Record, at: datetime, timeout_s: float) -> Answer:
    """It was taken up, and takes longer than anybody should wait."""
    return _verdict(
        at,
        Trouble.NO_ANSWER,
        f"{record.action.capitalize()}: no answer within {timeout_s:g} s; it may still be under way, and its answer "
        f"is shown here when it comes; {_LOOK}",
    )


def _verdict(at: datetime, trouble: Trouble, message: str) -> Answer:
    return Answer(success=False, state=None, reason=trouble, message=message, finished_at=at, is_final=False)
