"""Resources of an idle coordinator: descriptors and memory (I12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_GROWTH_KIB = 8 * 1024  # allowed growth over a long history: SQLite's cache, and the heap's reserve


@dataclass(frozen=True)
class ResourceUsage:
    """Descriptors and resident memory, in KiB, of one process."""

    descriptors: int
    memory_kib: int

    @classmethod
    def of(cls, pid: int) -> ResourceUsage:
        """The present usage of a process."""
        process = Path(f"/proc/{pid}")
        status = process.joinpath("status").read_text().splitlines()
        memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
        return cls(len(list(process.joinpath("fd").iterdir())), memory)

    def excess(self, first: ResourceUsage) -> Iterator[str]:
        """Descriptions of the resources that exceed those of a coordinator without a history."""
        if self.descriptors > first.descriptors:
            yield f"{self.descriptors} descriptors at the end, {first.descriptors} at the start"
        if self.memory_kib > first.memory_kib + _GROWTH_KIB:
            yield f"{self.memory_kib} KiB at the end, {first.memory_kib} KiB at the start"

    def __str__(self) -> str:
        return f"{self.descriptors} descriptors and {self.memory_kib / 1024:.1f} MiB"
