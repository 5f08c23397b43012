"""What an executor is told once, when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ExecutorSettings:
    """Where runs leave their files, and how much of each stream an outcome quotes.

    ``runs`` is an absolute path without line breaks, on a disk that keeps what is written, and every coordinator of
    this host has its own; ``output_bytes`` (≥ 2) counts bytes per stream (I12).
    """

    runs: Path
    output_bytes: int
