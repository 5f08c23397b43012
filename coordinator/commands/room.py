"""How much room the disk of a folder has left: bytes, and names for files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_LOW_BYTES = 64 * 1024 * 1024
_LOW_FILES = 1000


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
