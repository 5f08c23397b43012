"""What must hold when everything has come to rest, whatever died on the way (I1-I5, I7-I10)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from coordinator.publisher import final_status
from fsm.journal import Journal
from fsm.table import MOVES
from property_tests.crash.lookout import Lookout
from property_tests.crash.reality import Doubt, untrue
from property_tests.crash.scenarios import Scenario, Wish
from property_tests.crash.stage import Stage
from protocol.messages import FinalStatus

# All that may lie in the state folder once a coordinator has stopped.
_BELONGS = {"journal.db", "coordinator.lock", "runs"}
_LEGAL = {(move.event.value, move.source.value, move.dest.value) for move in MOVES}
_OUTPUT_BYTES = 262144  # limits.output_bytes of a configuration that does not set it


def judge(stage: Stage, scenario: Scenario, lookout: Lookout, doubt: Doubt | None = None) -> list[str]:
    """Everything that is wrong with what a stopped coordinator left; nothing, when all is well.

    Args:
        stage: where it worked.
        scenario: the story.
        lookout: who looked on.
        doubt: what may have happened besides the story; None when every ending is known beforehand.
    """
    endings = _foretold(stage, scenario) if doubt is None else _truthful(stage, scenario, doubt)
    return [
        *lookout.faults,
        *_answers(stage, scenario, lookout),
        *endings,
        *strays(stage, scenario),  # before anybody else opens the journal
        *journal_faults(stage, scenario),
    ]


def runs_of(record: Path, request_id: str) -> list[str]:
    """The scripts that ran for a request, in order, by their own record."""
    return [script for what, script, asked in _notes(record) if what == "begin" and asked == request_id]


def _answers(stage: Stage, scenario: Scenario, lookout: Lookout) -> Iterator[str]:
    for wish in scenario.wishes:
        path = stage.final(wish.request_id)
        if not path.exists():
            yield f"{wish.request_id} has no answer"
        elif lookout.finals.get(wish.request_id + ".json") != path.read_bytes():
            yield f"the answer to {wish.request_id} is not the one that was seen first"


def _truthful(stage: Stage, scenario: Scenario, doubt: Doubt) -> Iterator[str]:
    """Whether the answers are true, whatever they are."""
    record = stage.record.read_text().splitlines() if stage.record.exists() else []
    for wish in scenario.wishes:
        path = stage.final(wish.request_id)
        if path.exists():
            yield from untrue(record, wish, scenario, FinalStatus.model_validate_json(path.read_bytes()), doubt)


def _foretold(stage: Stage, scenario: Scenario) -> Iterator[str]:
    """Whether the answers are the ones that the story ends with."""
    for wish in scenario.wishes:
        path = stage.final(wish.request_id)
        answer = json.loads(path.read_bytes()) if path.exists() else None
        if answer is not None and (answer["state"], answer["reason"]) != (wish.state, wish.reason):
            yield f"{wish.request_id} is said to be {answer['state']} ({answer['reason']}): {answer['message']}"
        told = tuple(attempt["script"] for attempt in answer["attempts"]) if answer else wish.runs
        if told != wish.runs:
            yield f"the answer to {wish.request_id} tells of {told}"
    yield from _scripts(stage.record, scenario)


def _notes(record: Path) -> list[tuple[str, str, str]]:
    lines = record.read_text().splitlines() if record.exists() else []
    return [(what, script, rest[0]) for what, script, *rest in map(str.split, lines)]


def _scripts(record: Path, scenario: Scenario) -> Iterator[str]:
    notes = _notes(record)
    for what, script, request_id in notes:
        if what == "overlap":
            yield f"{script} of {request_id} met another script of its lock"
    for wish in scenario.wishes:
        ran = tuple(runs_of(record, wish.request_id))
        if ran != wish.runs:
            yield f"for {wish.request_id} ran {ran}, not {wish.runs}"
        ended = tuple(script for what, script, asked in notes if what == "end" and asked == wish.request_id)
        if ended != ran:
            yield f"of {wish.request_id}, {ran} began and {ended} ended"


def journal_faults(stage: Stage, scenario: Scenario) -> Iterator[str]:
    """Where the journal holds what may not be, or says something else than the answers."""
    with Journal.open(stage.journal, read_only=True) as journal:
        yield from journal.integrity()
        for wish in scenario.wishes:
            record = journal.get(wish.request_id)
            if record is None:
                yield f"the journal does not know {wish.request_id}"
                continue
            answer = final_status(record, journal.attempts(wish.request_id), _OUTPUT_BYTES)
            path = stage.final(wish.request_id)
            if path.exists() and path.read_bytes() != answer.model_dump_json().encode():
                yield f"the journal would answer {wish.request_id} differently: {answer}"
            if record.settled_at is None:
                yield f"{wish.request_id} is not settled"
    yield from _histories(stage, scenario.wishes)


def _histories(stage: Stage, wishes: tuple[Wish, ...]) -> Iterator[str]:
    with closing(sqlite3.connect(f"file:{stage.journal}?mode=ro", uri=True)) as journal:
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


def strays(stage: Stage, scenario: Scenario) -> Iterator[str]:
    """What lies there that a coordinator which has done everything and stopped leaves nobody."""
    expected = {f"{wish.request_id}.json" for wish in scenario.wishes} | {".coordinator"}
    for folder, belongs in ((stage.requests, set()), (stage.status, expected), (stage.state, _BELONGS)):
        for name in sorted({path.name for path in folder.iterdir()} - belongs):
            yield f"{name} was left in {folder.name}/"
    for folder in sorted((stage.state / "runs").glob("*")):
        yield f"runs/{folder.name} was left in {stage.state.name}/"
