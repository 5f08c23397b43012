"""A small file system of its own for a directory, which a test can fill to the last block or inode."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support.polling import wait_until

_BLOCK = bytes(4096)


class SmallDisk:
    """A tmpfs mounted on ``folder`` until the test ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o755, exist_ok=True)
        self._folder = folder
        self._filler = folder / "filler"
        self._mount("-t", "tmpfs", "-o", "size=2m,nr_inodes=200,mode=755", "none")

    def _mount(self, *arguments: str) -> None:
        done = subprocess.run(["mount", *arguments, str(self._folder)], capture_output=True, text=True)
        assert done.returncode == 0, (
            f"cannot mount a tmpfs: {done.stderr.strip()}; run the tests as root, in a container with "
            "--cap-add SYS_ADMIN and a profile that allows mount(2)"
        )

    def fill(self) -> None:
        """Fill every free block."""
        with self._filler.open("ab", buffering=0) as file:
            _until_full(lambda: file.write(_BLOCK))
        assert self.is_full(), "the disk still has free blocks"

    def fill_names(self, left: int = 0) -> None:
        """Use up the inodes except ``left``."""
        self._filler.mkdir()
        names = map(str, range(1_000_000))
        _until_full(lambda: self._filler.joinpath(next(names)).touch())
        for name in range(left):
            (self._filler / str(name)).unlink()
        assert os.statvfs(self._folder).f_ffree == left

    def is_full(self) -> bool:
        """Whether no block is free."""
        return os.statvfs(self._folder).f_bfree == 0

    def grow(self) -> None:
        """Add space without touching a file."""
        self._mount("-o", "remount,size=64m,nr_inodes=100000")

    def unmount(self) -> None:
        """Unmount with all content; retried while an exiting process still uses it."""
        wait_until(lambda: subprocess.run(["umount", str(self._folder)], capture_output=True).returncode == 0, "umount")


def _until_full(write: Callable[[], object]) -> None:
    try:
        while True:
            write()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
