"""Fills a coordinator's journal with past requests: ``python -m benchmarks.journal_filler HOST SETTLED PENDING``."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from fsm.journal import Journal
from fsm.records import AttemptRecord, TransitionFacts
from fsm.transition_table import Event, Transition
from protocol.messages import Progress
from protocol.outbox import Outbox
from protocol.types import Action, ExitKind, State

_BATCH = 1000
_AT = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)
_COMPONENT = "core"
_ACCEPT = Transition(Event.ACCEPT, State.RECEIVED, State.VALIDATED)
_START = Transition(Event.START, State.VALIDATED, State.RUNNING)
_SUCCEED = Transition(Event.SUCCEED, State.RUNNING, State.SUCCEEDED)


def write(root: Path, settled: int, pending: int) -> None:
    """Add ``settled`` answered requests, and ``pending`` admitted ones with their files, to the host ``root``."""
    with Journal.open(root / "state" / "journal.db") as journal:
        for first in range(0, settled, _BATCH):
            with journal.transaction():
                for number in range(first, min(first + _BATCH, settled)):
                    _settle(journal, f"past-{number:07d}")
        for first in range(0, pending, _BATCH):
            with journal.transaction():
                for number in range(first, min(first + _BATCH, pending)):
                    _admit(journal, f"due-{number:07d}")
    for number in range(pending):
        _leave_files(root, f"due-{number:07d}")


def _admit(journal: Journal, request_id: str) -> None:
    journal.insert(request_id, _COMPONENT, Action.HEALTH, None, _AT, _AT)
    journal.record_transition(request_id, _ACCEPT, TransitionFacts(_AT))


def _settle(journal: Journal, request_id: str) -> None:
    _admit(journal, request_id)
    begun = AttemptRecord(request_id, 1, State.RUNNING, "health-check.sh", "boot", _AT, 0.0)
    ended = AttemptRecord(
        **{
            **vars(begun),
            "ended_at": _AT,
            "seconds": 0.0,
            "ending": ExitKind.EXITED,
            "exit_code": 0,
            "output": "healthy\n",
        }
    )
    journal.record_transition(request_id, _START, TransitionFacts(_AT, begin=begun))
    journal.record_transition(request_id, _SUCCEED, TransitionFacts(_AT, finish=ended, settles=True))
    journal.mark_published(request_id)


def _leave_files(root: Path, request_id: str) -> None:
    """Write the files of a waiting request: its request and its progress."""
    content = {"component": _COMPONENT, "action": "health", "request_id": request_id, "timestamp": _AT.isoformat()}
    (root / "requests" / f"{request_id}.json").write_text(json.dumps(content), encoding="utf-8")
    Outbox(root / "status").publish_progress(
        Progress(
            request_id=request_id,
            component=_COMPONENT,
            action=Action.HEALTH,
            state=State.VALIDATED,
            phase=None,
            percent=None,
            seq=0,
            timestamp=_AT,
        )
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
