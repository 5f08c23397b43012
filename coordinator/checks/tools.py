"""Tools of the host, and the free space of its file systems."""

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
class ToolResult:
    """What a tool printed, and its exit code."""

    code: int
    output: str
    error: str

    @property
    def last_line(self) -> str:
        """The last line it printed; some tools print errors on stdout."""
        return ([*self.output.splitlines(), *self.error.splitlines()] or [f"exit code {self.code}"])[-1].strip()


def run_tool(program: str, *arguments: str) -> ToolResult | None:
    """Run a tool of the host; None when it is missing or does not respond."""
    found = shutil.which(program)
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, *arguments], capture_output=True, text=True, errors="replace", timeout=TOOL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ToolResult(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class FreeSpace:
    """What is free; ``files`` is None on file systems without a limit of inodes."""

    free_bytes: int
    files: int | None

    @property
    def is_low(self) -> bool:
        """Whether some space should be freed."""
        return self.free_bytes < _LOW_BYTES or (self.files is not None and self.files < _LOW_FILES)

    @property
    def is_exhausted(self) -> bool:
        """Whether no further file with content fits."""
        return 0 in (self.free_bytes, self.files)

    def __str__(self) -> str:
        inodes = "" if self.files is None else f" and {self.files} inodes"
        return f"{self.free_bytes // 1024} KiB{inodes}"


def free_space(folder: Path) -> FreeSpace:
    """The free space on the file system of ``folder``."""
    found = os.statvfs(folder)
    return FreeSpace(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)
