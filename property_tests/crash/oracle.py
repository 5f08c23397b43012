"""What must hold when everything has come to rest, whatever died on the way (I1-I5, I7-I10)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from property_tests.crash.ground_truth import Doubt, untrue
from property_tests.crash.journal_check import journal_faults
from property_tests.crash.leftover_check import strays
from property_tests.crash.monitor import Lookout
from property_tests.crash.sandbox import Stage
from property_tests.crash.scenarios import Scenario, Wish
from protocol.messages import FinalStatus

_Told = dict[Wish, bytes | None]  # the answers as the reader saw them first
_Note = tuple[str, str, str]  # what happened, to which script, and the exit code of one that ended


def judge(stage: Stage, scenario: Scenario, lookout: Lookout, doubt: Doubt | None = None) -> list[str]:
    """Everything that is wrong with what a stopped coordinator left; nothing, when all is well.

    Args:
        stage: where it worked.
        scenario: the story.
        lookout: who looked on.
        doubt: what may have happened besides the story; None when every ending is known beforehand.
    """
    if doubt is None:
        return judge_wishes(stage, scenario.wishes, lookout)
    told = _told(scenario.wishes, lookout)
    return [*_at_rest(stage, told, lookout), *_truthful(stage, scenario, told, doubt)]


def judge_wishes(
    stage: Stage, wishes: Iterable[Wish], lookout: Lookout, away: Collection[str] = frozenset()
) -> list[str]:
    """The same for any wishes with known endings; ``away`` names those whose answer the client has taken."""
    told = _told(wishes, lookout)
    return [*_at_rest(stage, told, lookout, away), *_foretold(told), *_scripts(stage.record, told)]


def runs_of(record: Path, request_id: str) -> list[str]:
    """The scripts that ran for a request, in order, by their own record."""
    return [script for what, script, _ in _notes(record)[request_id] if what == "begin"]


def _told(wishes: Iterable[Wish], lookout: Lookout) -> _Told:
    return {wish: lookout.finals.get(f"{wish.request_id}.json") for wish in wishes}


def _at_rest(stage: Stage, told: _Told, lookout: Lookout, away: Collection[str] = frozenset()) -> Iterator[str]:
    """What must hold however the requests ended."""
    yield from lookout.faults
    for wish, seen in told.items():
        path = stage.final(wish.request_id)
        present = path.read_bytes() if path.exists() else None
        if seen is None or (present is None and wish.request_id not in away):
            yield f"{wish.request_id} has no answer"
        elif present not in (None, seen):
            yield f"the answer to {wish.request_id} is not the one that was seen first"
    # The folders before anybody else opens the journal.
    yield from strays(stage.requests, stage.status, stage.state, told, stage.output_bytes)
    yield from journal_faults(stage.journal, told, stage.output_bytes)


def _truthful(stage: Stage, scenario: Scenario, told: _Told, doubt: Doubt) -> Iterator[str]:
    """Whether the answers are true, whatever they are."""
    record = stage.record.read_text().splitlines() if stage.record.exists() else []
    for wish, seen in told.items():
        if seen is not None:
            yield from untrue(record, wish, scenario, FinalStatus.model_validate_json(seen), doubt)


def _foretold(told: _Told) -> Iterator[str]:
    """Whether the answers are the ones that the story ends with."""
    for wish, seen in told.items():
        if seen is None:
            continue
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
