"""Check of the journal once the host is idle: only legal histories, and equal to the published answers (I4)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from coordinator.final_status import final_status
from fsm.journal_reader import JournalReader
from fsm.transition_table import TRANSITIONS
from property_tests.crash.scenarios import PlannedRequest

_LEGAL = {(transition.event.value, transition.source.value, transition.dest.value) for transition in TRANSITIONS}


def journal_violations(path: Path, answers: Mapping[PlannedRequest, bytes | None], output_bytes: int) -> Iterator[str]:
    """Inconsistencies of the journal, and differences from the published answers.

    Args:
        path: of the journal.
        answers: the answer to each request; None without an answer.
        output_bytes: ``limits.output_bytes`` of the coordinator that wrote it.
    """
    with JournalReader.open(path) as journal:
        yield from journal.database.integrity()
        for request, answer in answers.items():
            record = journal.get(request.request_id)
            if record is None:
                yield f"{request.request_id} is missing in the journal"
                continue
            own = final_status(record, journal.attempts(request.request_id), output_bytes)
            if answer is not None and answer != own.model_dump_json().encode():
                yield f"the journal implies another status for {request.request_id}: {own}"
            if record.settled_at is None:
                yield f"{request.request_id} is not settled"
    yield from _histories(path, answers)


def _histories(path: Path, planned: Iterable[PlannedRequest]) -> Iterator[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal:
        for request in planned:
            state = "received"
            transitions = journal.execute(
                "SELECT event, source, dest FROM transitions WHERE request_id = ? ORDER BY rowid", (request.request_id,)
            )
            for event, source, dest in transitions:
                if (event, source, dest) not in _LEGAL or source != state:
                    yield f"{request.request_id} in {state} has an illegal transition: {source} -> {dest} by {event}"
                state = dest
        for (count,) in journal.execute("SELECT count(*) FROM attempts WHERE ending IS NULL"):
            if count:
                yield f"{count} attempt(s) without an end in the journal"
