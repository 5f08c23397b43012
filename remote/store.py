"""What we asked the host, and what became of it: a file per request in our own state folder.

Written before the request itself, so that its answer finds somebody who waits for it, whatever dies in between: an
update of ``remote`` ends this process in the middle of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loguru import logger
from pydantic import BaseModel, ConfigDict, StrictBool, StrictInt, StrictStr, ValidationError

from protocol.fs import remove_tree, write_atomic
from protocol.messages import AnyState, FinalStatus, Stamp
from protocol.names import request_file, stem_of
from protocol.types import Action

OUTPUT_CHARACTERS = 8192  # kept of each stream: its end; the host keeps the rest


class Answer(BaseModel):
    """How a request ended: as the coordinator says, or as far as we could tell without it."""

    model_config = ConfigDict(frozen=True)

    success: StrictBool
    state: AnyState | None
    reason: StrictStr | None
    message: StrictStr
    output: StrictStr = ""
    error: StrictStr = ""
    finished_at: Stamp
    current: StrictStr | None = None  # the version that was installed when this was told
    is_final: StrictBool = True  # False: our own verdict, which the coordinator's answer may still replace
    is_late: StrictBool = False

    @classmethod
    def of(cls, status: FinalStatus, *, is_late: bool) -> Answer:
        """The coordinator's answer; ``is_late`` when another was given in its place before."""
        return cls(
            success=status.success,
            state=status.state,
            reason=status.reason,
            message=status.message,
            output=status.output[-OUTPUT_CHARACTERS:],
            error=status.error[-OUTPUT_CHARACTERS:],
            finished_at=status.finished_at,
            is_late=is_late,
        )


class Record(BaseModel):
    """One request of ours."""

    model_config = ConfigDict(frozen=True)

    request_id: StrictStr
    component: StrictStr
    action: Action
    version: StrictStr | None
    asked_at: Stamp
    automatic: StrictBool = False  # nobody asked for it: a health check after an update
    answer: Answer | None = None
    number: StrictInt = 0  # of the first event that told the answer

    @property
    def is_open(self) -> bool:
        """Whether the coordinator's answer may still come."""
        return self.answer is None or not self.answer.is_final


class Records:
    """The folder of records; read once, written through.

    Args:
        folder: made when missing.
        keep: how many answered requests are remembered; the oldest go first.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder
        self._keep = keep
        self._records: dict[str, Record] = {}

    def load(self) -> None:
        """Read what an earlier process left.

        Raises:
            OSError: the folder cannot be made or read; the operator's to mend.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        found = [record for path in sorted(self._folder.iterdir()) if (record := _read(path)) is not None]
        self._records = {record.request_id: record for record in sorted(found, key=lambda record: record.asked_at)}

    def __iter__(self) -> Iterator[Record]:
        """All records, the oldest first."""
        return iter(list(self._records.values()))

    def get(self, request_id: str) -> Record | None:
        """What is known of a request."""
        return self._records.get(request_id)

    def keep(self, record: Record) -> None:
        """Write a record down, to stay through a power cut.

        Raises:
            OSError: the folder is full, read-only or gone.
        """
        write_atomic(self._folder / request_file(record.request_id), record.model_dump_json().encode(), mode=0o600)
        self._records[record.request_id] = record

    def forget(self, request_id: str) -> None:
        """Drop a record whose request was never written."""
        self._records.pop(request_id, None)
        remove_tree(self._folder / request_file(request_id))

    def prune(self) -> None:
        """Drop the oldest answered records beyond the number to keep."""
        answered = [record.request_id for record in self if record.answer is not None]
        for request_id in answered[: -self._keep]:
            self.forget(request_id)


def _read(path: Path) -> Record | None:
    """A record; None for a temporary file, and for what is none: it is left there to be looked at."""
    stem = stem_of(path.name)
    if stem is None:
        return None
    try:
        record = Record.model_validate_json(path.read_bytes())
    except ValidationError:
        record = None
    if record is None or record.request_id != stem:
        logger.warning("cannot use {}: it is no record of a request; it is left where it is", path)
        return None
    return record
