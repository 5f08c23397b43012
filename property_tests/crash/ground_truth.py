"""Whether answers are true to what the scripts' own record says, when it is not known beforehand how a story ends.

A kill alone changes no ending, so ``verdict`` knows each. Where power goes, or the host refuses something, an update
may be interrupted and undone; what must hold then is that whatever is said is so (I1), and nothing ran too often (I3).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from signal import SIGKILL
from types import SimpleNamespace

from executors.interface import ProcessId
from fsm.recovery import MAX_RESUMES
from property_tests.answer_check import REFUSALS, Truth
from property_tests.crash.scenarios import HEALTH, ROLLBACK, UPDATE, Scenario, Wish
from property_tests.world import Deed, Run
from protocol.messages import FinalStatus
from protocol.types import ExitKind, Reason, State

VERSION = "1.2.3"  # what the stage asks for
_KILLED = 128 + SIGKILL
_NOBODY = ProcessId("", 0, 0)
_HEALTHS = 2  # after an update, and after its rollback; each may be interrupted, a bounded number of times in all (I9)


@dataclass(frozen=True)
class Doubt:
    """What may have happened besides the story, and so may stand in a true answer.

    Args:
        interrupted: a script may have been cut off, or nobody may have learnt how it ended.
        hindered: the host may have refused to start one.
        starts: how often a script may begin for one request; more than once only where its component says "rerun".
        forgotten: whether the journal was lost: then rollback.sh may begin once more (I13, ADR 007), and nobody knows
            what had run before.
    """

    interrupted: bool = False
    hindered: bool = False
    starts: int = 1
    forgotten: bool = False


def runs(record: Iterable[str], wish: Wish, scenario: Scenario) -> list[Run]:
    """The scripts that ran for a request, in order; the exit code of one that never came to its end is None.

    Where it is the time limit that ends a script, it did so, though power may have been quicker.
    """
    found: list[Run] = []
    for what, script, request_id, *rest in map(str.split, record):
        if request_id != wish.request_id or what not in ("begin", "end"):
            continue
        if what == "begin":
            found.append(_run(script, len(found) + 1, wish, scenario))
        else:
            found[-1].exit_code = int(rest[0])
    return found


def _run(script: str, number: int, wish: Wish, scenario: Scenario) -> Run:
    """One that began."""
    part = scenario.components.get(wish.component)
    lock = part.lock if part else wish.component
    version = VERSION if script == UPDATE else ""
    run = Run(wish.request_id, number, script, wish.component, lock, Deed.OK, _NOBODY, [], version, is_alive=False)
    if script in wish.cut:
        run.ended_by, run.exit_code = ExitKind.TIMED_OUT, _KILLED
    return run


def untrue(record: list[str], wish: Wish, scenario: Scenario, answer: FinalStatus, doubt: Doubt) -> Iterator[str]:
    """Everything that ``answer`` says and that is not so, and whatever ran too often; in words.

    Args:
        record: what the scripts wrote: ``begin SCRIPT ID``, ``end SCRIPT ID CODE``, ``overlap SCRIPT ID``.
        wish: what was asked.
        scenario: the story it belongs to.
        answer: the final status.
        doubt: what may have happened besides the story.
    """
    ran = runs(record, wish, scenario)
    version = VERSION if wish.action == "update" else None
    refusals = [(wish.request_id, script) for script in (UPDATE, ROLLBACK, HEALTH)] if doubt.hindered else []
    world = SimpleNamespace(refusals=refusals, boot=2 if doubt.interrupted else 1)
    said = f"{answer.state} ({answer.reason}): {answer.message}"
    try:
        happened = ran + _unseen(ran, wish, scenario, answer)
        truth = Truth(world, [(wish.component, wish.action, version)], happened, is_doubtful=doubt.forgotten)
        truth.check(wish.request_id, answer)
    except (AssertionError, KeyError) as error:
        line = traceback.extract_tb(error.__traceback__)[-1].line
        yield f"{wish.request_id} is not as it is said ({line}): {said}; there ran {_tell(ran)}"
    if {answer.reason, wish.reason} & REFUSALS and answer.reason != wish.reason:
        yield f"{wish.request_id} was to be {wish.reason}, and is said to be {said}"
    yield from _too_often(ran, wish, answer, doubt)
    yield from _not_undone(ran, wish, scenario, answer)
    if not doubt.forgotten:
        yield from _told_wrong(ran, wish, answer)
    for line in record:
        if line.startswith("overlap "):
            yield f"met another script of its lock: {line}"


def _unseen(ran: list[Run], wish: Wish, scenario: Scenario, answer: FinalStatus) -> list[Run]:
    """Scripts that the time limit ended before they could tell of their beginning: a busy machine may be as slow."""
    begun = {run.script for run in ran}
    told = [attempt.script for attempt in answer.attempts]
    return [_run(script, 0, wish, scenario) for script in told if script in wish.cut and script not in begun]


def _too_often(ran: list[Run], wish: Wish, answer: FinalStatus, doubt: Doubt) -> Iterator[str]:
    scripts = [run.script for run in ran]
    for script in (UPDATE, ROLLBACK):
        if scripts.count(script) > doubt.starts + (doubt.forgotten and script == ROLLBACK):
            yield f"{script} ran {scripts.count(script)} times for {wish.request_id}"
    if scripts.count(HEALTH) > _HEALTHS + MAX_RESUMES:
        yield f"{HEALTH} ran {scripts.count(HEALTH)} times for {wish.request_id}"
    if UPDATE in scripts and wish.action != "update":
        yield f"update.sh ran for {wish.request_id}, a {wish.action}"
    is_due = wish.action == "rollback" or (wish.action == "update" and answer.state is not State.SUCCEEDED)
    if ROLLBACK in scripts and not is_due:
        yield f"rollback.sh ran for {wish.request_id}, and it {answer.state}"


def _not_undone(ran: list[Run], wish: Wish, scenario: Scenario, answer: FinalStatus) -> Iterator[str]:
    """What a failed update has begun is rolled back, unless its component does not want that, or it cannot be."""
    part = scenario.components.get(wish.component)
    is_due = part is not None and part.settings.get("on_failure") != "none" and any(run.script == UPDATE for run in ran)
    if is_due and answer.state is State.FAILED and answer.reason is not Reason.ROLLBACK_FAILED:
        yield f"{wish.request_id} was never undone: {answer.reason}: {answer.message}; there ran {_tell(ran)}"


def _told_wrong(ran: list[Run], wish: Wish, answer: FinalStatus) -> Iterator[str]:
    """Each run is told of; an exit code that is told was one. Runs may be told of that never began: nobody knows."""
    told = [attempt.script for attempt in answer.attempts]
    rest = iter(told)
    if not all(run.script in rest for run in ran):
        yield f"the answer to {wish.request_id} tells of {told}; there ran {_tell(ran)}"
    left = [(run.script, run.exit_code) for run in ran]
    for attempt in answer.attempts:
        end = (attempt.script, attempt.exit_code)
        if attempt.exit_code is not None and end not in left:
            yield f"the answer to {wish.request_id} tells of {end}; there ran {_tell(ran)}"
        elif attempt.exit_code is not None:
            left.remove(end)


def _tell(ran: list[Run]) -> str:
    return ", ".join(f"{run.script} ({run.exit_code})" for run in ran) or "nothing"
