"""The crash points of a recording: the disk at each instant, and the external events up to then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from property_tests.power.disk_model import DiskModel
from property_tests.power.operations import Operation, OperationKind
from property_tests.power.recording import Recording


@dataclass(frozen=True)
class CrashPoint:
    """The instant after an operation.

    Args:
        number: of the operation, from 1; 0 before the first.
        last: the operation; None before the first.
        recorded_lines: the lines of the scripts' record.
        seen: answers that a reader may have read by now, by request id.
    """

    number: int
    last: Operation | None
    recorded_lines: tuple[str, ...]
    seen: dict[str, bytes]

    def __str__(self) -> str:
        record = ", ".join(self.recorded_lines) or "nothing"
        return f"after operation {self.number}, {self.last}; the record holds {record}"

    @property
    def kind(self) -> str:
        """The operation's kind, for the table."""
        return self.last.kind.value if self.last else "none"


def crash_points(recording: Recording) -> Iterator[tuple[CrashPoint, DiskModel]]:
    """Every instant at which the disk or the record has changed, with the disk model in that state.

    A sequence of writes to one file gives one instant, after the last: what a cut leaves between them, it may leave
    after them as well.
    """
    disk = DiskModel(str(recording.root), recording.image)
    for operation in recording.unsynced:
        disk.apply(operation)
    recorded_lines, seen = list(recording.earlier.recorded_lines), dict(recording.earlier.seen)
    yield CrashPoint(0, None, tuple(recorded_lines), dict(seen)), disk
    for number, (operation, following) in enumerate(pairwise((*recording.operations, None)), 1):
        if operation.path == recording.record:
            if operation.kind is not OperationKind.WRITE:
                continue
            recorded_lines += operation.data.decode().splitlines()
        else:
            disk.apply(operation)
            _record_answer(recording, operation, disk, seen)
        if not (operation.kind is OperationKind.WRITE and _is_write(following, operation.path)):
            yield CrashPoint(number, operation, tuple(recorded_lines), dict(seen)), disk


def _is_write(operation: Operation | None, path: str) -> bool:
    return operation is not None and (operation.kind, operation.path) == (OperationKind.WRITE, path)


def _record_answer(recording: Recording, operation: Operation, disk: DiskModel, seen: dict[str, bytes]) -> None:
    """Record an answer that has just appeared: a reader may read it now."""
    target = Path(operation.target)
    if operation.kind is OperationKind.RENAME and target.parent == recording.root / "status":
        for request in recording.scenario.planned:
            if target.name == f"{request.request_id}.json":
                seen[request.request_id] = disk.content(f"status/{target.name}")
