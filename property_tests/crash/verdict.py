"""What must hold when everything has come to rest, whatever died on the way (I1-I5, I7-I10)."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from coordinator.publisher import final_status
from fsm.journal import Journal
from fsm.table import MOVES
from property_tests.crash.lookout import Lookout
from property_tests.crash.scenarios import Scenario, Wish
from property_tests.crash.stage import Stage

# All that may lie in the state folder once a coordinator has stopped.
_BELONGS = {"journal.db", "coordinator.lock", "runs"}
_LEGAL = {(move.event.value, move.source.value, move.dest.value) for move in MOVES}
_OUTPUT_BYTES = 262144  # limits.output_bytes of a configuration that does not set it
_STREAMS = {"stdout", "stderr"}


def judge(stage: Stage, scenario: Scenario, lookout: Lookout) -> list[str]:
    """Everything that is wrong with what a stopped coordinator left; nothing, when all is well."""
    return judge_wishes(stage, scenario.wishes, lookout)


def judge_wishes(
    stage: Stage, wishes: Iterable[Wish], lookout: Lookout, away: Collection[str] = frozenset()
) -> list[str]:
    """The same for any wishes; ``away`` names those whose answer the client has taken."""
    told = {wish: lookout.finals.get(f"{wish.request_id}.json") for wish in wishes}
    return [
        *lookout.faults,
        *_answers(stage, told, away),
        *_scripts(stage.record, told),
        *_strays(stage, told),  # before anybody else opens the journal
        *_journal(stage, told),
    ]


def runs(record: Path, request_id: str) -> list[str]:
    """The scripts that ran for a request, in order, by their own record."""
    return [script for what, script, _ in _notes(record)[request_id] if what == "begin"]


_Told = dict[Wish, bytes | None]  # the answers as the reader saw them first
_Note = tuple[str, str, str]  # what happened, to which script, and the exit code of one that ended


def _answers(stage: Stage, told: _Told, away: Collection[str]) -> Iterator[str]:
    for wish, seen in told.items():
        path = stage.final(wish.request_id)
        present = path.read_bytes() if path.exists() else None
        if seen is None or (present is None and wish.request_id not in away):
            yield f"{wish.request_id} has no answer"
            continue
        if present not in (None, seen):
            yield f"the answer to {wish.request_id} is not the one that was seen first"
        answer = json.loads(seen)
        if (answer["state"], answer["reason"]) != (wish.state, wish.reason):
            yield f"{wish.request_id} is said to be {answer['state']} ({answer['reason']}): {answer['message']}"
        scripts = tuple(attempt["script"] for attempt in _attempts(seen))
        if scripts != wish.runs:
            yield f"the answer to {wish.request_id} tells of {scripts}"


def _notes(record: Path) -> dict[str, list[_Note]]:
    """The scripts' own record, by request."""
    found = defaultdict(list)
    for line in record.read_text().splitlines() if record.exists() else []:
        what, script, request_id, *rest = line.split()
        found[request_id].append((what, script, " ".join(rest)))
    return found


def _scripts(record: Path, told: _Told) -> Iterator[str]:
    notes = _notes(record)
    asked = {wish.request_id for wish in told}
    for request_id, lines in notes.items():
        if request_id not in asked:
            yield f"for {request_id}, which nobody asked for, ran {lines}"
        for what, script, _ in lines:
            if what == "overlap":
                yield f"{script} of {request_id} met another script of its lock"
    for wish, seen in told.items():
        lines = notes[wish.request_id]
        ran = tuple(script for what, script, _ in lines if what == "begin")
        if ran not in (wish.runs, tuple(script for script in wish.runs if script not in wish.cut)):
            yield f"for {wish.request_id} ran {ran}, not {wish.runs}"
        ended = [(script, code) for what, script, code in lines if what == "end" and script not in wish.cut]
        whole = tuple(script for script in ran if script not in wish.cut)
        if tuple(script for script, _ in ended) != whole:
            yield f"of {wish.request_id}, {ran} began and {ended} ended"
        codes = [(each["script"], str(each["exit_code"])) for each in _attempts(seen)] if seen else ended
        if [each for each in codes if each[0] not in wish.cut] != ended:
            yield f"the answer to {wish.request_id} tells of {codes}; so they ended: {ended}"


def _attempts(answer: bytes) -> list[dict[str, Any]]:
    return json.loads(answer)["attempts"]


def _journal(stage: Stage, told: _Told) -> Iterator[str]:
    output_bytes = stage.sections["limits"].get("output_bytes", _OUTPUT_BYTES)
    with Journal.open(stage.journal, read_only=True) as journal:
        yield from journal.integrity()
        for wish, seen in told.items():
            record = journal.get(wish.request_id)
            if record is None:
                yield f"the journal does not know {wish.request_id}"
                continue
            answer = final_status(record, journal.attempts(wish.request_id), output_bytes)
            if seen is not None and seen != answer.model_dump_json().encode():
                yield f"the journal would answer {wish.request_id} differently: {answer}"
            if record.settled_at is None:
                yield f"{wish.request_id} is not settled"
    yield from _histories(stage, told)


def _histories(stage: Stage, wishes: Iterable[Wish]) -> Iterator[str]:
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


def _strays(stage: Stage, wishes: Iterable[Wish]) -> Iterator[str]:
    expected = {f"{wish.request_id}.json" for wish in wishes} | {".coordinator"}
    for folder, belongs in ((stage.requests, set()), (stage.status, expected), (stage.state, _BELONGS)):
        for name in sorted({path.name for path in folder.iterdir()} - belongs):
            yield f"{name} was left in {folder.name}/"
    for folder in leftovers(stage):
        yield f"runs/{folder.name} was left in {stage.state.name}/"


def leftovers(stage: Stage) -> list[Path]:
    """Folders of runs with more in them than complete logs: what exceeds ``limits.output_bytes`` is kept on purpose."""
    limit = stage.sections["limits"].get("output_bytes", _OUTPUT_BYTES)
    return [folder for folder in sorted((stage.state / "runs").glob("*")) if not _is_log(folder, limit)]


def _is_log(folder: Path, limit_bytes: int) -> bool:
    try:
        files = [file for attempt in folder.iterdir() for file in attempt.iterdir()]
        return bool(files) and all(file.name in _STREAMS and file.stat().st_size > limit_bytes for file in files)
    except FileNotFoundError:  # it is just being removed
        return False
