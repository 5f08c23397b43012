"""Check after a power cut, once the restarted coordinator has finished its work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pydantic import ValidationError

from coordinator.settings import Limits
from fsm.journal_reader import JournalReader
from property_tests.crash.ground_truth import Uncertainty, false_claims
from property_tests.crash.journal_check import journal_violations
from property_tests.crash.leftover_check import unexpected_files
from property_tests.crash.scenarios import PlannedRequest
from property_tests.power.crash_points import CrashPoint
from property_tests.power.disk_model import DiskImage
from property_tests.power.recording import FOLDERS, Recording
from protocol.messages import FinalStatus
from protocol.types import Reason

OUTPUT_BYTES = Limits().output_bytes


def check_recovery(
    root: Path, recording: Recording, image: DiskImage, crash_point: CrashPoint, record: list[str]
) -> list[str]:
    """Every violation; empty when there is none.

    Args:
        root: the directory with the coordinator's files.
        recording: the instance during which the power failed.
        image: the disk after the cut.
        crash_point: the instant of the cut.
        record: the scripts' record since the beginning.
    """
    requests, status, state = (root / name for name in FOLDERS)
    journal_file = state / "journal.db"
    planned = recording.scenario.planned
    # First: opening the journal creates files.
    left = list(unexpected_files(requests, status, state, planned, OUTPUT_BYTES))
    if not journal_file.exists():
        return ["the journal is missing"]
    answers = {request: _read(status / f"{request.request_id}.json") for request in planned}
    with closing(JournalReader.open(journal_file)) as journal:
        answers = {
            request: answer
            for request, answer in answers.items()
            if _needs_answer(request, recording, image, crash_point, journal)
        }
    violations = [
        violation
        for request, answer in answers.items()
        for violation in _answer(request, answer, recording, image, crash_point, record)
    ]
    if recording.earlier.journal_lost:  # earlier answers are known from their status files only
        answers = {
            request: answer for request, answer in answers.items() if request.request_id not in recording.earlier.seen
        }
    return [*violations, *left, *journal_violations(journal_file, answers, OUTPUT_BYTES)]


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _needs_answer(
    request: PlannedRequest, recording: Recording, image: DiskImage, crash_point: CrashPoint, journal: JournalReader
) -> bool:
    """Whether a request must be answered: one written without fsync may be lost in the cut without a trace."""
    if f"requests/{request.request_id}.json" in image:
        return True
    if request.request_id in recording.scenario.taken and recording.earlier.client_skips_fsync:
        return f"status/{request.request_id}.json" in image  # resubmitted: the client has the first answer
    return (
        request.request_id in crash_point.seen
        or any(f" {request.request_id}" in line for line in crash_point.recorded_lines)
        or journal.get(request.request_id) is not None
    )


def _answer(
    request: PlannedRequest,
    content: bytes | None,
    recording: Recording,
    image: DiskImage,
    crash_point: CrashPoint,
    record: list[str],
) -> Iterator[str]:
    if content is None:
        yield f"{request.request_id} has no final status"
        return
    try:
        answer = FinalStatus.model_validate_json(content)
    except ValidationError as error:
        yield f"the status of {request.request_id} is invalid: {error}"
        return
    if crash_point.seen.get(request.request_id, content) != content:
        earlier = crash_point.seen[request.request_id]
        yield f"the status of {request.request_id} changed, from {earlier!r} to {content!r}"
    path = f"requests/{request.request_id}.json"
    content_found = image.get(
        path, recording.image.get(path)
    )  # as found by this instance, or by the one before the cut
    is_torn = content_found is not None and content_found != recording.earlier.submitted.get(request.request_id)
    if is_torn and answer.reason is Reason.INVALID_REQUEST:
        if any(f" {request.request_id}" in line for line in record):
            yield f"{request.request_id} is rejected as invalid, and scripts ran for it"
        return
    uncertainty = Uncertainty(interrupted=True, journal_lost=recording.earlier.journal_lost)
    yield from false_claims(record, request, recording.scenario, answer, uncertainty)
