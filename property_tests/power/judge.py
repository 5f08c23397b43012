"""What must hold after a power cut, once the coordinator that started on what was left has done its work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from fsm.journal import Journal
from property_tests.crash import verdict
from property_tests.crash.reality import Doubt, untrue
from property_tests.crash.scenarios import Wish
from property_tests.power.disk import Image
from property_tests.power.moments import Moment
from property_tests.power.recording import Recording
from protocol.messages import FinalStatus, Reason


@dataclass(frozen=True)
class Place:
    """The folders to look at."""

    root: Path

    @property
    def requests(self) -> Path:
        """See ``Host``."""
        return self.root / "requests"

    @property
    def status(self) -> Path:
        """See ``Host``."""
        return self.root / "status"

    @property
    def state(self) -> Path:
        """See ``Host``."""
        return self.root / "state"

    @property
    def journal(self) -> Path:
        """See ``Host``."""
        return self.state / "journal.db"

    def final(self, request_id: str) -> Path:
        """See ``Host``."""
        return self.status / f"{request_id}.json"


def judge(root: Path, recording: Recording, image: Image, moment: Moment, record: list[str]) -> list[str]:
    """Everything that is wrong; nothing, when all is well.

    Args:
        root: what the coordinator left.
        recording: the life during which power failed.
        image: what the cut had left.
        moment: when it came.
        record: what the scripts have noted since the beginning.
    """
    place = Place(root)
    strays = list(verdict.strays(place, recording.scenario))  # before anybody else opens the journal
    if not place.journal.exists():
        return ["there is no journal"]
    with closing(Journal.open(place.journal, read_only=True)) as journal:
        asked = [wish for wish in recording.scenario.wishes if _was_asked(wish, recording, image, moment, journal)]
    scenario = replace(recording.scenario, wishes=tuple(asked))
    faults = [fault for wish in asked for fault in _answer(place, recording, wish, image, moment, record)]
    if recording.earlier.forgotten:  # what was answered before is known from its status alone
        known = tuple(wish for wish in asked if wish.request_id not in recording.earlier.seen)
        scenario = replace(scenario, wishes=known)
    return [*faults, *strays, *verdict.journal_faults(place, scenario)]


def _was_asked(wish: Wish, recording: Recording, image: Image, moment: Moment, journal: Journal) -> bool:
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
    place: Place, recording: Recording, wish: Wish, image: Image, moment: Moment, record: list[str]
) -> Iterator[str]:
    try:
        content = place.final(wish.request_id).read_bytes()
        answer = FinalStatus.model_validate_json(content)
    except FileNotFoundError:
        yield f"{wish.request_id} has no answer"
        return
    except ValidationError as error:
        yield f"the answer to {wish.request_id} is none: {error}"
        return
    if moment.seen.get(wish.request_id, content) != content:
        yield f"the answer to {wish.request_id} changed, from {moment.seen[wish.request_id]!r} to {content!r}"
    asked = image.get(f"requests/{wish.request_id}.json")
    is_torn = asked is not None and asked != recording.earlier.asked.get(wish.request_id)
    if is_torn and answer.reason is Reason.INVALID_REQUEST:
        if any(f" {wish.request_id}" in line for line in record):
            yield f"{wish.request_id} is called invalid, and scripts ran for it"
        return
    doubt = Doubt(interrupted=True, forgotten=recording.earlier.forgotten)
    yield from untrue(record, wish, recording.scenario, answer, doubt)
