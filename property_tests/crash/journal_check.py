"""The journal once everything has come to rest: only legal histories, and nothing else than what was answered (I4)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from coordinator.publisher import final_status
from fsm.journal_reader import JournalReader
from fsm.transition_table import TRANSITIONS
from property_tests.crash.scenarios import Wish

_LEGAL = {(move.event.value, move.source.value, move.dest.value) for move in TRANSITIONS}


def journal_faults(path: Path, told: Mapping[Wish, bytes | None], output_bytes: int) -> Iterator[str]:
    """Where the journal holds what may not be, or says something else than the answers.

    Args:
        path: of the journal.
        told: the answer to each wish; None where there is none.
        output_bytes: ``limits.output_bytes`` of the coordinator that wrote it.
    """
    with JournalReader.open(path) as journal:
        yield from journal.integrity()
        for wish, answer in told.items():
            record = journal.get(wish.request_id)
            if record is None:
                yield f"the journal does not know {wish.request_id}"
                continue
            own = final_status(record, journal.attempts(wish.request_id), output_bytes)
            if answer is not None and answer != own.model_dump_json().encode():
                yield f"the journal would answer {wish.request_id} differently: {own}"
            if record.settled_at is None:
                yield f"{wish.request_id} is not settled"
    yield from _histories(path, told)


def _histories(path: Path, wishes: Iterable[Wish]) -> Iterator[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal:
        for wish in wishes:
            state = "received"
            moves = journal.execute(
                "SELECT event, source, dest FROM transitions WHERE request_id = ? ORDER BY rowid", (wish.request_id,)
            )
            for event, source, dest in moves:
                if (event, source, dest) not in _LEGAL or source != state:
                    yield f"{wish.request_id} went from {source} to {dest} by {event}, coming from {state}"
                state = dest
        for (count,) in journal.execute("SELECT count(*) FROM attempts WHERE ending IS NULL"):
            if count:
                yield f"{count} run(s) never ended, by the journal"
