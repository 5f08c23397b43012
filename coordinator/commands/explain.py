"""``update-coordinator explain ID``: the recorded chain of events, in plain words."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

from rich.console import Console
from rich.text import Text

from coordinator import words
from coordinator.commands.journal_reader import complain, reading
from coordinator.commands.look import COLOURS, request_line, when
from coordinator.settings import Settings
from fsm.records import AttemptRecord, TransitionRecord
from fsm.table import Event
from protocol.messages import State

_MOVES = {
    Event.ACCEPT: "The request was read, judged and accepted; it waited for its turn.",
    Event.REFUSE: "The request was refused, and no script was run",
    Event.START: "Its turn came.",
    Event.SUCCEED: "It succeeded",
    Event.FAIL: "It failed",
    Event.ROLL_BACK: "It was rolled back",
    Event.GIVE_UP: "The previous version was not restored",
}

_PLACES = {
    Event.ACCEPT: 0,
    Event.REFUSE: 1,
    Event.START: 2,
    Event.SUCCEED: 20_000,
    Event.FAIL: 20_000,
    Event.ROLL_BACK: 40_000,
    Event.GIVE_UP: 40_000,
}
_RUNS = {State.RUNNING: 10_000, State.FAILED: 30_000}


def execute(settings: Settings, request_id: str, *, as_json: bool) -> int:
    """Tell the story; 1 when the request is not known."""
    with reading(settings) as journal:
        record = journal.get(request_id)
        if record is None:
            return complain(f"cannot find request {request_id}: see update-coordinator history for those there are")
        attempts, moves = journal.attempts(request_id), journal.transitions(request_id)
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        facts = {
            "request": asdict(record),
            "transitions": [asdict(move) for move in moves],
            "attempts": [asdict(attempt) for attempt in attempts],
        }
        console.out(json.dumps(facts, indent=2, default=str))
        return 0
    console.print(request_line(record), markup=False)
    for stamp, state, sentence in _story(attempts, moves):
        console.print(Text.assemble((f"  {when(stamp)}  ", "dim"), (f"{state:<12}", COLOURS[state]), sentence))
    if record.settled_at is None:
        console.print("  It is not over yet.")
    return 0


def _story(attempts: list[AttemptRecord], moves: list[TransitionRecord]) -> list[tuple[datetime, State, str]]:
    """Moves and runs in the order they happened: by what leads to what, for a wall clock may jump (I11)."""
    told: list[tuple[int, datetime, State, str]] = []
    for move in moves:
        sentence = _MOVES[Event(move.event)]
        text = f"{sentence.rstrip('.')}: {move.message}" if move.message else f"{sentence.rstrip('.')}."
        told.append((_PLACES[Event(move.event)], move.at, move.dest, text))
    for attempt in attempts:
        place = _RUNS[attempt.state] + 2 * attempt.number
        told.append((place, attempt.started_at, attempt.state, f"Run {attempt.number}: {attempt.script} was started."))
        if attempt.ended_at is not None:
            took = f" after {attempt.seconds:.1f} s" if attempt.seconds is not None else ""
            text = f"Run {attempt.number}: {words.ending(attempt.script, attempt)}{took}."
            told.append((place + 1, attempt.ended_at, attempt.state, text))
    told.sort(key=lambda event: event[0])
    return [(stamp, state, sentence) for _, stamp, state, sentence in told]
