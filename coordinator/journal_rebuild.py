"""A new journal out of ``requests/`` and ``status/`` alone, when the old one is lost or damaged (I13).

What has an answer is settled. What has none may have run: updates and rollbacks are taken up as interrupted, never as
new; health checks simply run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loguru import logger

from fsm import script_plan
from fsm.journal import Journal
from fsm.machine import Life, RequestMachine
from fsm.records import AttemptRecord
from fsm.recovery import LOST_BOOT
from fsm.transition_table import Event
from policy.engine import PolicyContext, decide
from protocol.clock import Clock
from protocol.decode import decode_request
from protocol.fs import exists
from protocol.inbox import Entry, Inbox
from protocol.messages import FinalStatus, Request
from protocol.names import is_request_id, stem_of
from protocol.outbox import Outbox
from protocol.types import Action, ProtocolError, State

_BATCH = 1000
_SALVAGED = "taken over from its status file after the journal was lost"
_WAYS: dict[str, tuple[Event, ...]] = {
    State.SUCCEEDED: (Event.ACCEPT, Event.START, Event.SUCCEED),
    State.FAILED: (Event.ACCEPT, Event.START, Event.FAIL),
    State.ROLLED_BACK: (Event.ACCEPT, Event.START, Event.FAIL, Event.ROLL_BACK),
}


_PARTS = ("-wal", "-shm", "")  # what SQLite keeps beside a journal goes first: alone it would count for a new one


def set_aside(journal: Path) -> Path:
    """Move a damaged journal, and what SQLite keeps beside it, out of the way; return its new place."""
    number = 1
    while exists(target := journal.with_name(f"{journal.name}.damaged-{number}")):
        number += 1
    for suffix in _PARTS:
        part = Path(f"{journal}{suffix}")
        if exists(part):
            part.rename(f"{target}{suffix}")
    return target


def discard(journal: Path) -> None:
    """Remove a new journal that was never filled: it holds nothing that the two folders do not tell."""
    for suffix in _PARTS:
        Path(f"{journal}{suffix}").unlink(missing_ok=True)


def rebuild(
    journal: Journal,
    lives: RequestMachine,
    inbox: Inbox,
    outbox: Outbox,
    clock: Clock,
    components: frozenset[str],
    runs: Path,
) -> None:
    """Fill an empty journal from the two folders.

    Raises:
        OSError: a folder cannot be read; start again once it can.
    """
    settled = sum(1 for status in _finals(outbox) if _settle(journal, lives, status))
    interrupted = 0
    after: Entry | None = None
    while window := inbox.oldest(_BATCH, after=after, known=journal.existing_ids):
        with journal.transaction():
            interrupted += sum(
                _interrupt(journal, lives, request, clock, runs)
                for request in _requests(window, inbox, clock, components)
            )
        after = window[-1]
    logger.critical(
        "the journal was lost: a new one holds {} answered requests; {} unanswered ones count as interrupted",
        settled,
        interrupted,
    )


def _finals(outbox: Outbox) -> Iterator[FinalStatus]:
    for entry in outbox.finals():
        status = outbox.read(stem_of(entry.name) or "")
        if status is not None and status.request_id == stem_of(entry.name) and status.state in _WAYS:
            yield status


def _settle(journal: Journal, lives: RequestMachine, status: FinalStatus) -> bool:
    with journal.transaction():
        record = journal.insert(
            status.request_id,
            status.component,
            status.action,
            status.version,
            None,
            status.started_at or status.timestamp,
        )
        events = _WAYS[status.state]
        with lives.of(record) as life:
            for event in events:
                _fire(life, event, status, last=event is events[-1])
    journal.mark_published(status.request_id)
    return True


def _fire(life: Life, event: Event, status: FinalStatus, *, last: bool) -> None:
    life.fire(
        event,
        at=status.timestamp,
        reason=status.reason if last or event is Event.FAIL else None,
        message=status.message if last else _SALVAGED,
        settles=last,
    )


def _requests(window: list[Entry], inbox: Inbox, clock: Clock, components: frozenset[str]) -> Iterator[Request]:
    """Requests that may have been running; everything else is the next pass's to judge, health checks included."""
    circumstances = PolicyContext(clock.utc(), components)
    for entry in window:
        stem = stem_of(entry.name) or ""
        if not is_request_id(stem):
            continue
        try:
            request = decode_request(inbox.read(entry.name), stem)
        except (ProtocolError, OSError):
            continue
        if request.action is not Action.HEALTH and decide(request, circumstances) is None:
            yield request


def _interrupt(journal: Journal, lives: RequestMachine, request: Request, clock: Clock, runs: Path) -> bool:
    now = clock.utc()
    record = journal.insert(
        request.request_id, request.component, request.action, request.version, request.timestamp, now
    )
    attempt = AttemptRecord(
        request_id=request.request_id,
        number=_latest_run(runs / request.request_id),
        state=State.RUNNING,
        script=script_plan.UPDATE if request.action is Action.UPDATE else script_plan.ROLLBACK,
        boot_id=LOST_BOOT,
        started_at=now,
        started_monotonic=clock.monotonic(),
    )
    with lives.of(record) as life:
        life.fire(Event.ACCEPT, at=now, message="found without a journal")
        life.fire(Event.START, at=now, message="may have started before the journal was lost", begin=attempt)
    return True


def _latest_run(folder: Path) -> int:
    """The number of the last run that left a folder behind, so that it is looked for where it is; else 1."""
    try:
        return max((int(run.name) for run in folder.iterdir() if run.name.isdigit()), default=1)
    except OSError:
        return 1
