"""What a coordinator that rests holds of its host: descriptors and memory (I12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MORE_KIB = 8 * 1024  # that may come with a long history: SQLite's cache, and what the heap keeps


@dataclass(frozen=True)
class Usage:
    """Of one process: descriptors, and resident memory in KiB."""

    descriptors: int
    memory_kib: int

    @classmethod
    def of(cls, pid: int) -> Usage:
        """What the process holds now."""
        process = Path(f"/proc/{pid}")
        status = process.joinpath("status").read_text().splitlines()
        memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
        return cls(len(list(process.joinpath("fd").iterdir())), memory)

    def excess(self, first: Usage) -> Iterator[str]:
        """What is more than a coordinator without a past holds, in words."""
        if self.descriptors > first.descriptors:
            yield f"{self.descriptors} descriptors at last, {first.descriptors} at first"
        if self.memory_kib > first.memory_kib + _MORE_KIB:
            yield f"{self.memory_kib} KiB at last, {first.memory_kib} KiB at first"

    def __str__(self) -> str:
        return f"{self.descriptors} descriptors and {self.memory_kib / 1024:.1f} MiB"
