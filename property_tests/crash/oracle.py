"""Oracle of the crash tests: what must hold once the host is idle, after any kill (I1-I5, I7-I10)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from property_tests.crash.ground_truth import Uncertainty, false_claims
from property_tests.crash.journal_check import journal_violations
from property_tests.crash.leftover_check import unexpected_files
from property_tests.crash.monitor import StatusMonitor
from property_tests.crash.sandbox import Sandbox
from property_tests.crash.scenarios import PlannedRequest, Scenario
from protocol.messages import FinalStatus

_Answers = dict[PlannedRequest, bytes | None]  # the answers as first seen by the reader
_RecordEntry = tuple[str, str, str]  # event, script, and the exit code at an end


def check_scenario(
    sandbox: Sandbox, scenario: Scenario, monitor: StatusMonitor, uncertainty: Uncertainty | None = None
) -> list[str]:
    """Every violation in the state that a stopped coordinator left; empty when there is none.

    Args:
        sandbox: the host.
        scenario: the scenario.
        monitor: the reader of its statuses.
        uncertainty: what else may have happened; None when every outcome is known beforehand.
    """
    if uncertainty is None:
        return check_requests(sandbox, scenario.planned, monitor)
    answers = _collect_answers(scenario.planned, monitor)
    return [*_inconsistencies(sandbox, answers, monitor), *_false_claims(sandbox, scenario, answers, uncertainty)]


def check_requests(
    sandbox: Sandbox, planned: Iterable[PlannedRequest], monitor: StatusMonitor, taken: Collection[str] = frozenset()
) -> list[str]:
    """Every violation for requests with known outcomes; the client has taken the answers of the ids in ``taken``."""
    answers = _collect_answers(planned, monitor)
    return [
        *_inconsistencies(sandbox, answers, monitor, taken),
        *_unexpected_outcomes(answers),
        *_unexpected_runs(sandbox.record, answers),
    ]


def runs_of(record: Path, request_id: str) -> list[str]:
    """The scripts that ran for a request, in order, by their own record."""
    return [script for what, script, _ in _parse_record(record)[request_id] if what == "begin"]


def _collect_answers(planned: Iterable[PlannedRequest], monitor: StatusMonitor) -> _Answers:
    return {request: monitor.finals.get(f"{request.request_id}.json") for request in planned}


def _inconsistencies(
    sandbox: Sandbox, answers: _Answers, monitor: StatusMonitor, taken: Collection[str] = frozenset()
) -> Iterator[str]:
    """Violations that do not depend on the outcomes."""
    yield from monitor.violations
    for request, seen in answers.items():
        path = sandbox.final(request.request_id)
        present = path.read_bytes() if path.exists() else None
        if seen is None or (present is None and request.request_id not in taken):
            yield f"{request.request_id} has no final status"
        elif present not in (None, seen):
            yield f"the status of {request.request_id} differs from the one first seen"
    # The directories first: opening the journal creates files.
    yield from unexpected_files(sandbox.requests, sandbox.status, sandbox.state, answers, sandbox.output_bytes)
    yield from journal_violations(sandbox.journal, answers, sandbox.output_bytes)


def _false_claims(sandbox: Sandbox, scenario: Scenario, answers: _Answers, uncertainty: Uncertainty) -> Iterator[str]:
    """Answers that are not true."""
    record = sandbox.record.read_text().splitlines() if sandbox.record.exists() else []
    for request, seen in answers.items():
        if seen is not None:
            yield from false_claims(record, request, scenario, FinalStatus.model_validate_json(seen), uncertainty)


def _unexpected_outcomes(answers: _Answers) -> Iterator[str]:
    """Answers that differ from the scenario's outcome."""
    for request, seen in answers.items():
        if seen is None:
            continue
        answer = json.loads(seen)
        if (answer["state"], answer["reason"]) != (request.state, request.reason):
            found = f"{answer['state']} ({answer['reason']}): {answer['message']}"
            yield f"{request.request_id} is {found}; expected {request.state} ({request.reason})"
        scripts = tuple(attempt["script"] for attempt in _attempts(seen))
        if scripts != request.runs:
            yield f"the status of {request.request_id} reports {scripts}"


def _parse_record(record: Path) -> dict[str, list[_RecordEntry]]:
    """The scripts' own record, by request."""
    found = defaultdict(list)
    for line in record.read_text().splitlines() if record.exists() else []:
        what, script, request_id, *rest = line.split()
        found[request_id].append((what, script, " ".join(rest)))
    return found


def _unexpected_runs(record: Path, answers: _Answers) -> Iterator[str]:
    entries = _parse_record(record)
    submitted = {request.request_id for request in answers}
    for request_id, lines in entries.items():
        if request_id not in submitted:
            yield f"scripts ran for {request_id}, which was never submitted: {lines}"
        for what, script, _ in lines:
            if what == "overlap":
                yield f"{script} of {request_id} overlapped another script of its lock"
    for request, seen in answers.items():
        lines = entries[request.request_id]
        ran = tuple(script for what, script, _ in lines if what == "begin")
        if ran not in (request.runs, tuple(script for script in request.runs if script not in request.cut)):
            yield f"runs of {request.request_id}: {ran}, expected {request.runs}"
        ended = [(script, code) for what, script, code in lines if what == "end" and script not in request.cut]
        complete = tuple(script for script in ran if script not in request.cut)
        if tuple(script for script, _ in ended) != complete:
            yield f"runs of {request.request_id}: {ran} started and {ended} ended"
        codes = [(each["script"], str(each["exit_code"])) for each in _attempts(seen)] if seen else ended
        if [each for each in codes if each[0] not in request.cut] != ended:
            yield f"the status of {request.request_id} reports {codes}; runs ended with {ended}"


def _attempts(answer: bytes) -> list[dict[str, Any]]:
    return json.loads(answer)["attempts"]
