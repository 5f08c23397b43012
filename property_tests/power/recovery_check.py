"""What must hold after a power cut, once the coordinator that started on what was left has done its work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pydantic import ValidationError

from coordinator.settings import Limits
from fsm.journal_reader import JournalReader
from property_tests.crash.ground_truth import Doubt, untrue
from property_tests.crash.journal_check import journal_faults
from property_tests.crash.leftover_check import strays
from property_tests.crash.scenarios import Wish
from property_tests.power.crash_points import Moment
from property_tests.power.disk_model import Image
from property_tests.power.recording import FOLDERS, Recording
from protocol.messages import FinalStatus
from protocol.types import Reason

OUTPUT_BYTES = Limits().output_bytes


def judge(root: Path, recording: Recording, image: Image, moment: Moment, record: list[str]) -> list[str]:
    """Everything that is wrong; nothing, when all is well.

    Args:
        root: what the coordinator left.
        recording: the life during which power failed.
        image: what the cut had left.
        moment: when it came.
        record: what the scripts have noted since the beginning.
    """
    requests, status, state = (root / name for name in FOLDERS)
    journal_file = state / "journal.db"
    wishes = recording.scenario.wishes
    # Before anybody else opens the journal.
    left = list(strays(requests, status, state, wishes, OUTPUT_BYTES))
    if not journal_file.exists():
        return ["there is no journal"]
    told = {wish: _read(status / f"{wish.request_id}.json") for wish in wishes}
    with closing(JournalReader.open(journal_file)) as journal:
        told = {wish: answer for wish, answer in told.items() if _was_asked(wish, recording, image, moment, journal)}
    faults = [
        fault for wish, answer in told.items() for fault in _answer(wish, answer, recording, image, moment, record)
    ]
    if recording.earlier.forgotten:  # what was answered before is known from its status alone
        told = {wish: answer for wish, answer in told.items() if wish.request_id not in recording.earlier.seen}
    return [*faults, *left, *journal_faults(journal_file, told, OUTPUT_BYTES)]


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _was_asked(wish: Wish, recording: Recording, image: Image, moment: Moment, journal: JournalReader) -> bool:
    """A request that a client wrote without fsync may be gone with the cut, as if it had never been."""
    if f"requests/{wish.request_id}.json" in image:
        return True
    if wish.request_id in recording.scenario.taken and recording.earlier.careless:
        return f"status/{wish.request_id}.json" in image  # asked a second time: the first answer is with the client
    return (
        wish.request_id in moment.seen
        or any(f" {wish.request_id}" in line for line in moment.noted)
        or journal.get(wish.request_id) is not None
    )


def _answer(
    wish: Wish, content: bytes | None, recording: Recording, image: Image, moment: Moment, record: list[str]
) -> Iterator[str]:
    if content is None:
        yield f"{wish.request_id} has no answer"
        return
    try:
        answer = FinalStatus.model_validate_json(content)
    except ValidationError as error:
        yield f"the answer to {wish.request_id} is none: {error}"
        return
    if moment.seen.get(wish.request_id, content) != content:
        yield f"the answer to {wish.request_id} changed, from {moment.seen[wish.request_id]!r} to {content!r}"
    path = f"requests/{wish.request_id}.json"
    asked = image.get(path, recording.image.get(path))  # what this coordinator found, or the one before the cut
    is_torn = asked is not None and asked != recording.earlier.asked.get(wish.request_id)
    if is_torn and answer.reason is Reason.INVALID_REQUEST:
        if any(f" {wish.request_id}" in line for line in record):
            yield f"{wish.request_id} is called invalid, and scripts ran for it"
        return
    doubt = Doubt(interrupted=True, forgotten=recording.earlier.forgotten)
    yield from untrue(record, wish, recording.scenario, answer, doubt)
