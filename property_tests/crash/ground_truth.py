"""Checks answers against the scripts' own record if the outcome is not known beforehand.

A kill alone changes no outcome, so ``oracle`` knows each. After a power cut or a failed system call an update may be
interrupted and rolled back; then every claim must be true (I1), and no script may run too often (I3).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from signal import SIGKILL
from types import SimpleNamespace

from executors.interface import ProcessId
from fsm.recovery import MAX_RESUMES
from property_tests.answer_check import REJECTIONS, AnswerChecker
from property_tests.crash.scenarios import HEALTH, ROLLBACK, UPDATE, PlannedRequest, Scenario
from property_tests.world import Run, ScriptBehavior
from protocol.messages import FinalStatus
from protocol.types import ExitKind, Reason, State

VERSION = "1.2.3"  # of the sandbox's update requests
_KILLED = 128 + SIGKILL
_NO_PROCESS = ProcessId("", 0, 0)
_HEALTHS = 2  # after an update and after its rollback; interruptions are bounded in total (I9)


@dataclass(frozen=True)
class Uncertainty:
    """Events besides the scenario that a true answer may mention.

    Args:
        interrupted: a script may have been interrupted, or its exit code lost.
        start_failed: the start of a script may have failed.
        starts: how often a script may start for one request; more than once only with ``on_interruption = "rerun"``.
        journal_lost: whether the journal was lost; then rollback.sh may start once more (I13, ADR 007), and earlier
            runs are unknown.
    """

    interrupted: bool = False
    start_failed: bool = False
    starts: int = 1
    journal_lost: bool = False


def runs(record: Iterable[str], request: PlannedRequest, scenario: Scenario) -> list[Run]:
    """The scripts that ran for a request, in order; a script that did not end has no exit code.

    A script subject to its time limit counts as timed out, even if the power cut came first.
    """
    found: list[Run] = []
    for what, script, request_id, *rest in map(str.split, record):
        if request_id != request.request_id or what not in ("begin", "end"):
            continue
        if what == "begin":
            found.append(_run(script, len(found) + 1, request, scenario))
        else:
            found[-1].exit_code = int(rest[0])
    return found


def _run(script: str, number: int, request: PlannedRequest, scenario: Scenario) -> Run:
    """A script that started."""
    part = scenario.components.get(request.component)
    lock = part.lock if part else request.component
    version = VERSION if script == UPDATE else ""
    run = Run(
        request.request_id,
        number,
        script,
        request.component,
        lock,
        ScriptBehavior.OK,
        _NO_PROCESS,
        [],
        version,
        is_alive=False,
    )
    if script in request.cut:
        run.ended_by, run.exit_code = ExitKind.TIMED_OUT, _KILLED
    return run


def false_claims(
    record: list[str], request: PlannedRequest, scenario: Scenario, answer: FinalStatus, uncertainty: Uncertainty
) -> Iterator[str]:
    """Every false claim of ``answer``, and every script that ran too often.

    Args:
        record: lines of the scripts: ``begin SCRIPT ID``, ``end SCRIPT ID CODE``, ``overlap SCRIPT ID``.
        request: the request.
        scenario: the scenario it belongs to.
        answer: the final status.
        uncertainty: events besides the scenario.
    """
    ran = runs(record, request, scenario)
    version = VERSION if request.action == "update" else None
    every_start = [(request.request_id, script) for script in (UPDATE, ROLLBACK, HEALTH)]
    failed_starts = every_start if uncertainty.start_failed else []
    world = SimpleNamespace(failed_starts=failed_starts, boot=2 if uncertainty.interrupted else 1)
    claim = f"{answer.state} ({answer.reason}): {answer.message}"
    try:
        happened = ran + _unrecorded_runs(ran, request, scenario, answer)
        truth = AnswerChecker(
            world, [(request.component, request.action, version)], happened, is_uncertain=uncertainty.journal_lost
        )
        truth.check(request.request_id, answer)
    except (AssertionError, KeyError) as error:
        line = traceback.extract_tb(error.__traceback__)[-1].line
        yield f"the status of {request.request_id} is false ({line}): {claim}; runs: {_format_runs(ran)}"
    if {answer.reason, request.reason} & REJECTIONS and answer.reason != request.reason:
        yield f"{request.request_id} must be {request.reason}; its status is {claim}"
    yield from _excess_runs(ran, request, answer, uncertainty)
    yield from _missing_rollback(ran, request, scenario, answer)
    if not uncertainty.journal_lost:
        yield from _misreported_runs(ran, request, answer)
    for line in record:
        if line.startswith("overlap "):
            yield f"two scripts of one lock overlapped: {line}"


def _unrecorded_runs(ran: list[Run], request: PlannedRequest, scenario: Scenario, answer: FinalStatus) -> list[Run]:
    """Scripts that the time limit ended before they could record their start, as happens on a busy machine."""
    begun = {run.script for run in ran}
    reported = [attempt.script for attempt in answer.attempts]
    return [_run(script, 0, request, scenario) for script in reported if script in request.cut and script not in begun]


def _excess_runs(
    ran: list[Run], request: PlannedRequest, answer: FinalStatus, uncertainty: Uncertainty
) -> Iterator[str]:
    scripts = [run.script for run in ran]
    for script in (UPDATE, ROLLBACK):
        if scripts.count(script) > uncertainty.starts + (uncertainty.journal_lost and script == ROLLBACK):
            yield f"{script} ran {scripts.count(script)} times for {request.request_id}"
    if scripts.count(HEALTH) > _HEALTHS + MAX_RESUMES:
        yield f"{HEALTH} ran {scripts.count(HEALTH)} times for {request.request_id}"
    if UPDATE in scripts and request.action != "update":
        yield f"update.sh ran for {request.request_id}, a {request.action}"
    is_due = request.action == "rollback" or (request.action == "update" and answer.state is not State.SUCCEEDED)
    if ROLLBACK in scripts and not is_due:
        yield f"rollback.sh ran for {request.request_id}, which is {answer.state}"


def _missing_rollback(
    ran: list[Run], request: PlannedRequest, scenario: Scenario, answer: FinalStatus
) -> Iterator[str]:
    """A failed update that started is rolled back, unless its component disables that or the rollback failed."""
    part = scenario.components.get(request.component)
    is_due = part is not None and part.settings.get("on_failure") != "none" and any(run.script == UPDATE for run in ran)
    if is_due and answer.state is State.FAILED and answer.reason is not Reason.ROLLBACK_FAILED:
        yield f"{request.request_id} was not rolled back: {answer.reason}: {answer.message}; runs: {_format_runs(ran)}"


def _misreported_runs(ran: list[Run], request: PlannedRequest, answer: FinalStatus) -> Iterator[str]:
    """Each run is reported, and each reported exit code is real. Runs that never began may be reported too."""
    reported = [attempt.script for attempt in answer.attempts]
    rest = iter(reported)
    if not all(run.script in rest for run in ran):
        yield f"the status of {request.request_id} reports {reported}; runs: {_format_runs(ran)}"
    left = [(run.script, run.exit_code) for run in ran]
    for attempt in answer.attempts:
        end = (attempt.script, attempt.exit_code)
        if attempt.exit_code is not None and end not in left:
            yield f"the status of {request.request_id} reports {end}; runs: {_format_runs(ran)}"
        elif attempt.exit_code is not None:
            left.remove(end)


def _format_runs(ran: list[Run]) -> str:
    return ", ".join(f"{run.script} ({run.exit_code})" for run in ran) or "none"
