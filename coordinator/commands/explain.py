"""``update-coordinator explain ID``: the recorded chain of events, in plain words."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from rich.console import Console
from rich.text import Text

from coordinator import texts
from coordinator.journal_reader import print_error, reading
from coordinator.render import COLOURS, day, request_line, time_of_day
from coordinator.settings import Settings
from fsm.journal import Journal
from fsm.records import AttemptRecord, RecoveryRecord, RequestRecord, TransitionRecord
from fsm.recovery import LOST_BOOT, RecoveryAction
from fsm.transition_table import Event
from protocol.types import ExitKind, State

_MOVES = {
    Event.ACCEPT: "The request was read, judged and accepted; it waited for its turn.",
    Event.REFUSE: "The request was refused, and no script was run.",
    Event.START: "Its turn came.",
    Event.SUCCEED: "It succeeded.",
    Event.FAIL: "It failed.",
    Event.ROLL_BACK: "It was rolled back.",
    Event.GIVE_UP: "The previous version was not restored.",
}

# What leads to what: a wall clock may jump, so the stamps do not tell (I11).
_STAGES = {
    Event.ACCEPT: 0,
    Event.REFUSE: 1,
    Event.START: 2,
    Event.SUCCEED: 4,
    Event.FAIL: 4,
    Event.ROLL_BACK: 6,
    Event.GIVE_UP: 6,
}
_RUNS = {State.RUNNING: 3, State.FAILED: 5}
_BEGUN, _FOUND, _OVER = 0, 1, 2
_SAID_LINES = 5


@dataclass(frozen=True)
class Story:
    """All that the journal knows of one request."""

    record: RequestRecord
    moves: list[TransitionRecord]
    attempts: list[AttemptRecord]
    resumptions: list[RecoveryRecord]


@dataclass(frozen=True)
class _Line:
    """One thing that happened; ``place`` orders them, ``said`` is what the script had to say about it."""

    place: tuple[int, int, int]
    at: datetime
    state: State
    sentence: str
    said: tuple[str, ...] = ()


def execute(settings: Settings, request_id: str, *, as_json: bool) -> int:
    """Tell the story; 1 when the request is not known."""
    with reading(settings) as journal:
        story = _read(journal, request_id)
    if story is None:
        return print_error(f"cannot find request {request_id}: see update-coordinator history for those there are")
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        facts = {
            "request": asdict(story.record),
            "transitions": [asdict(move) for move in story.moves],
            "attempts": [asdict(attempt) for attempt in story.attempts],
            "resumptions": [asdict(resumption) for resumption in story.resumptions],
        }
        console.out(json.dumps(facts, indent=2, default=str))
        return 0
    console.print(request_line(story.record), markup=False)
    shown = day(story.record.received_at)
    for line in tell(story):
        if day(line.at) != shown:
            shown = day(line.at)
            console.print(Text(f"  {shown}", style="dim"))
        begin = (f"  {time_of_day(line.at)}  ", "dim"), (f"{line.state:<12}", COLOURS[line.state])
        console.print(Text.assemble(*begin, line.sentence))
        for said in line.said:
            console.print(Text(f"{'':<24}| {said}", style="dim"))
    if story.record.settled_at is None:
        console.print("  It is not over yet.")
    return 0


def _read(journal: Journal, request_id: str) -> Story | None:
    record = journal.get(request_id)
    if record is None:
        return None
    moves, attempts = journal.transitions(request_id), journal.attempts(request_id)
    return Story(record, moves, attempts, journal.resumptions(request_id))


def tell(story: Story) -> list[_Line]:
    """Moves, runs and what restarts found of them, in the order they happened."""
    found: dict[int, list[RecoveryRecord]] = {}
    for resumption in story.resumptions:
        found.setdefault(resumption.number, []).append(resumption)
    told = _moves(story.moves)
    for attempt in story.attempts:
        told += _run(attempt, found.get(attempt.number, []))
    return sorted(told, key=lambda line: line.place)


def _moves(moves: list[TransitionRecord]) -> list[_Line]:
    """One line per move; a rebuilt journal says the same of several, which is told once (I13)."""
    told: list[_Line] = []
    for move in moves:
        event = Event(move.event)
        sentence = _MOVES[event]
        if event is Event.REFUSE and move.message:
            sentence = f"{sentence.rstrip('.')}: {move.message}"
        elif move.message:
            sentence = _sentence(move.message)
        if not told or told[-1].sentence != sentence:
            told.append(_Line((_STAGES[event], 0, 0), move.at, move.dest, sentence))
    return told


def _run(attempt: AttemptRecord, found: list[RecoveryRecord]) -> list[_Line]:
    stage, number, script = _RUNS[attempt.state], attempt.number, attempt.script
    told = []
    if attempt.ending is not ExitKind.NOT_STARTED and attempt.boot_id != LOST_BOOT:
        sentence = f"Run {number}: {script} was started."
        told.append(_Line((stage, number, _BEGUN), attempt.started_at, attempt.state, sentence))
    for one in found:
        sentence = f"{_sentence(texts.resumed(script, one.resumption))}."
        told.append(_Line((stage, number, _FOUND), one.at, attempt.state, sentence))
    never_began = bool(found) and found[-1].resumption is RecoveryAction.START
    if attempt.ended_at is not None and not never_began:
        place = (stage, number, _OVER)
        told.append(_Line(place, attempt.ended_at, attempt.state, f"Run {number}: {_end(attempt)}.", _said(attempt)))
    return told


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _end(attempt: AttemptRecord) -> str:
    if attempt.boot_id == LOST_BOOT:
        return f"{attempt.script} counted as interrupted, whether or not it had run"
    how = texts.ending(attempt.script, attempt)
    timed = attempt.seconds is not None and attempt.ending in (ExitKind.EXITED, ExitKind.INTERRUPTED)
    return f"{how} after {attempt.seconds:.1f} s" if timed else how


def _said(attempt: AttemptRecord) -> tuple[str, ...]:
    """The last lines a run that went wrong wrote; scripts may write anything, terminals obey some of it."""
    if attempt.ending is ExitKind.EXITED and attempt.exit_code == 0:
        return ()
    lines = (attempt.error.strip() or attempt.output.strip()).splitlines()[-_SAID_LINES:]
    return tuple("".join(sign if sign.isprintable() else " " for sign in line) for line in lines)
