"""``update-coordinator explain ID``: the recorded events of one request, in sentences."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from rich.console import Console
from rich.text import Text

from coordinator import texts
from coordinator.render import colour, day, print_error, request_line, time_of_day
from coordinator.settings import Settings
from coordinator.state_folder import open_for_reading
from fsm.journal_reader import JournalReader
from fsm.records import AttemptRecord, FailureRecord, RecoveryRecord, RequestRecord, TransitionRecord
from fsm.recovery import LOST_BOOT, RecoveryAction
from fsm.transition_table import Event
from protocol.types import ExitKind, State, UnknownValue

# Per event: its stage, and its sentence. Stages order the lines, since a wall clock may jump (I11).
TRANSITION_LINES: dict[Event, tuple[int, str]] = {
    Event.ACCEPT: (0, "The request was read, checked and accepted; it waited for its turn."),
    Event.REFUSE: (2, "The request was rejected, and no script was run."),
    Event.START: (3, "Its turn came."),
    Event.SUCCEED: (5, "It succeeded."),
    Event.FAIL: (5, "It failed."),
    Event.ROLL_BACK: (7, "It was rolled back."),
    Event.GIVE_UP: (7, "The previous version was not restored."),
}
RUN_STAGES: dict[State, int | None] = {
    State.RECEIVED: None,
    State.VALIDATED: None,
    State.RUNNING: 4,
    State.FAILED: 6,
    State.SUCCEEDED: None,
    State.ROLLED_BACK: None,
}
_DEFERRED_STAGE, _LAST_STAGE = 1, 8
_STARTED, _RECOVERED, _ENDED = 0, 1, 2
_OUTPUT_LINES = 5


@dataclass(frozen=True)
class RequestHistory:
    """All records of one request in the journal."""

    record: RequestRecord
    transitions: list[TransitionRecord]
    attempts: list[AttemptRecord]
    recoveries: list[RecoveryRecord]
    failures: list[FailureRecord]


@dataclass(frozen=True)
class _Line:
    """One event; ``place`` orders the events, ``output`` is what the script printed at the end."""

    place: tuple[int, int, int]
    at: datetime
    state: State | UnknownValue
    sentence: str
    output: tuple[str, ...] = ()


def execute(settings: Settings, request_id: str, *, as_json: bool) -> int:
    """Print the events; 1 when the request is not known."""
    with open_for_reading(settings) as journal:
        history = _read(journal, request_id)
    if history is None:
        return print_error(f"cannot find request {request_id}: update-coordinator history lists the known ones")
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        console.out(json.dumps(_as_json(history), indent=2, default=str))
        return 0
    console.print(request_line(history.record), markup=False)
    shown = day(history.record.received_at)
    for line in event_lines(history):
        if day(line.at) != shown:
            shown = day(line.at)
            console.print(Text(f"  {shown}", style="dim"))
        begin = (f"  {time_of_day(line.at)}  ", "dim"), (f"{line.state:<12}", colour(line.state))
        console.print(Text.assemble(*begin, line.sentence))
        for output in line.output:
            console.print(Text(f"{'':<24}| {output}", style="dim"))
    if history.record.settled_at is None:
        console.print("  It is still in progress.")
    return 0


def _as_json(history: RequestHistory) -> dict[str, object]:
    return {
        "request": {name: value for name, value in asdict(history.record).items() if name != "row"},
        "transitions": [asdict(transition) for transition in history.transitions],
        "attempts": [asdict(attempt) for attempt in history.attempts],
        "resumptions": [
            {
                "request_id": one.request_id,
                "number": one.number,
                "at": one.at,
                "trace": one.probe,
                "resumption": one.action,
            }
            for one in history.recoveries
        ],
        "failures": [asdict(failure) for failure in history.failures],
    }


def _read(journal: JournalReader, request_id: str) -> RequestHistory | None:
    record = journal.get(request_id)
    if record is None:
        return None
    return RequestHistory(
        record,
        journal.transitions(request_id),
        journal.attempts(request_id),
        journal.recoveries(request_id),
        journal.failures(request_id),
    )


def event_lines(history: RequestHistory) -> list[_Line]:
    """Transitions, runs and what restarts found of them, in the order in which they happened."""
    recoveries: dict[int, list[RecoveryRecord]] = {}
    for recovery in history.recoveries:
        recoveries.setdefault(recovery.number, []).append(recovery)
    lines = _transition_lines(history.transitions) + _deferral_lines(history.record) + _failure_lines(history)
    for attempt in history.attempts:
        lines += _run_lines(attempt, recoveries.get(attempt.number, []))
    return sorted(lines, key=lambda line: line.place)


def _transition_lines(transitions: list[TransitionRecord]) -> list[_Line]:
    """One line per transition; equal sentences in sequence, which a rebuilt journal has, are printed once (I13)."""
    lines: list[_Line] = []
    for transition in transitions:
        event = transition.event
        if isinstance(event, UnknownValue):
            stage, sentence = _LAST_STAGE, f"A newer release recorded {event!r}."
        else:
            stage, sentence = TRANSITION_LINES[event]
        if event is Event.REFUSE and transition.message:
            sentence = f"{sentence.rstrip('.')}: {transition.message}"
        elif transition.message:
            sentence = _sentence(transition.message)
        if not lines or lines[-1].sentence != sentence:
            lines.append(_Line((stage, 0, 0), transition.at, transition.dest, sentence))
    return lines


def _deferral_lines(record: RequestRecord) -> list[_Line]:
    if record.deferred_at is None:
        return []
    sentence = f"It was deferred: {record.deferred_why}."
    return [_Line((_DEFERRED_STAGE, 0, 0), record.deferred_at, State.VALIDATED, sentence)]


def _failure_lines(history: RequestHistory) -> list[_Line]:
    """Unexpected errors: before the last transition when they caused it, else after all other lines."""
    stages = [TRANSITION_LINES[one.event][0] for one in history.transitions if isinstance(one.event, Event)]
    stage = max(stages, default=_LAST_STAGE) if history.record.settled_at else _LAST_STAGE
    record, transitions = history.record, history.transitions
    state = transitions[-1].source if transitions and record.settled_at else record.state
    return [
        _Line((stage, -1, number), failure.at, state, f"Unexpected error {number}: {failure.error}")
        for number, failure in enumerate(history.failures, 1)
    ]


def _run_lines(attempt: AttemptRecord, recoveries: list[RecoveryRecord]) -> list[_Line]:
    known = RUN_STAGES[attempt.state] if isinstance(attempt.state, State) else None
    stage = _LAST_STAGE if known is None else known
    number, script = attempt.number, attempt.script
    lines = []
    if attempt.ending is not ExitKind.NOT_STARTED and attempt.boot_id != LOST_BOOT:
        sentence = f"Run {number}: {script} was started."
        lines.append(_Line((stage, number, _STARTED), attempt.started_at, attempt.state, sentence))
    for one in recoveries:
        sentence = f"{_sentence(texts.describe_recovery(script, one.action))}."
        lines.append(_Line((stage, number, _RECOVERED), one.at, attempt.state, sentence))
    never_began = bool(recoveries) and recoveries[-1].action is RecoveryAction.START
    if attempt.ended_at is not None and not never_began:
        place, sentence = (stage, number, _ENDED), f"Run {number}: {_describe_end(attempt)}."
        lines.append(_Line(place, attempt.ended_at, attempt.state, sentence, _last_output(attempt)))
    return lines


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _describe_end(attempt: AttemptRecord) -> str:
    if attempt.boot_id == LOST_BOOT:
        return f"{attempt.script} counted as interrupted, whether or not it had run"
    how = texts.describe_exit(attempt.script, attempt)
    is_timed = attempt.seconds is not None and attempt.ending in (ExitKind.EXITED, ExitKind.INTERRUPTED)
    return f"{how} after {attempt.seconds:.1f} s" if is_timed else how


def _last_output(attempt: AttemptRecord) -> tuple[str, ...]:
    """The last lines of a run that failed, without control characters, which a terminal would execute."""
    if attempt.ending is ExitKind.EXITED and attempt.exit_code == 0:
        return ()
    lines = (attempt.error.strip() or attempt.output.strip()).splitlines()[-_OUTPUT_LINES:]
    return tuple("".join(sign if sign.isprintable() else " " for sign in line) for line in lines)
