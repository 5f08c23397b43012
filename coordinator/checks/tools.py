"""Asks the tools of the host."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

TOOL_S = 20
_LOW_BYTES = 64 * 1024 * 1024
_LOW_FILES = 1000


@dataclass(frozen=True)
class Told:
    """What a tool of the host printed, and how it ended."""

    code: int
    output: str
    error: str

    @property
    def complaint(self) -> str:
        """The last thing it said; some tools complain where others answer."""
        return ([*self.output.splitlines(), *self.error.splitlines()] or [f"exit code {self.code}"])[-1].strip()


def ask(program: str, *arguments: str) -> Told | None:
    """Run a tool of the host; None when it is not there or does not answer."""
    found = shutil.which(program)
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, *arguments], capture_output=True, text=True, errors="replace", timeout=TOOL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Told(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Room:
    """What is left; ``files`` is None on file systems that know no limit of them."""

    free_bytes: int
    files: int | None

    @property
    def is_low(self) -> bool:
        """Whether it is time to free some."""
        return self.free_bytes < _LOW_BYTES or (self.files is not None and self.files < _LOW_FILES)

    @property
    def is_none(self) -> bool:
        """Whether not one more file with content fits."""
        return 0 in (self.free_bytes, self.files)

    def __str__(self) -> str:
        inodes = "" if self.files is None else f" and {self.files} inodes"
        return f"{self.free_bytes // 1024} KiB{inodes}"


def room(folder: Path) -> Room:
    """The room on the file system that holds ``folder``."""
    found = os.statvfs(folder)
    return Room(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)
