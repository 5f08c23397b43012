"""The instants of a recorded life: what the disk is like at each, and what has happened in the world by then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from property_tests.power.disk_model import Disk
from property_tests.power.operations import Kind, Operation
from property_tests.power.recording import Recording


@dataclass(frozen=True)
class Moment:
    """The instant after an operation.

    Args:
        number: of the operation, from 1; 0 before the first.
        last: the operation; None before the first.
        noted: what the scripts have written into their record.
        seen: answers that a reader may have read by now, by request id.
    """

    number: int
    last: Operation | None
    noted: tuple[str, ...]
    seen: dict[str, bytes]

    def __str__(self) -> str:
        return f"after operation {self.number}, {self.last}; by then {', '.join(self.noted) or 'nothing'}"

    @property
    def kind(self) -> str:
        """The operation's, for the table."""
        return self.last.kind.value if self.last else "none"


def moments(recording: Recording) -> Iterator[tuple[Moment, Disk]]:
    """Every instant at which something has just changed on the disk or in the world; the disk is then as it says.

    Of several writes to one file in a row only the last makes an instant: what a cut leaves between them it may leave
    after them, too.
    """
    disk = Disk(str(recording.root), recording.image)
    for operation in recording.loose:
        disk.apply(operation)
    noted, seen = list(recording.earlier.noted), dict(recording.earlier.seen)
    yield Moment(0, None, tuple(noted), dict(seen)), disk
    for number, (operation, following) in enumerate(pairwise((*recording.operations, None)), 1):
        if operation.path == recording.record:
            if operation.kind is not Kind.WRITE:
                continue
            noted += operation.data.decode().splitlines()
        else:
            disk.apply(operation)
            _look(recording, operation, disk, seen)
        if not (operation.kind is Kind.WRITE and _is_write(following, operation.path)):
            yield Moment(number, operation, tuple(noted), dict(seen)), disk


def _is_write(operation: Operation | None, path: str) -> bool:
    return operation is not None and (operation.kind, operation.path) == (Kind.WRITE, path)


def _look(recording: Recording, operation: Operation, disk: Disk, seen: dict[str, bytes]) -> None:
    """Take in an answer that has just appeared: whoever looks now reads it."""
    target = Path(operation.target)
    if operation.kind is Kind.RENAME and target.parent == recording.root / "status":
        for wish in recording.scenario.wishes:
            if target.name == f"{wish.request_id}.json":
                seen[wish.request_id] = disk.content(f"status/{target.name}")
