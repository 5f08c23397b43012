"""A folder on a disk of its own, so small that a test can fill it to the last byte or the last name."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support.real_host import until

_BLOCK = bytes(4096)


class SmallDisk:
    """A tmpfs, mounted on ``folder`` until the test is over."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o755, exist_ok=True)
        self._folder = folder
        self._filler = folder / "filler"
        self._mount("-t", "tmpfs", "-o", "size=2m,nr_inodes=200,mode=755", "none")

    def _mount(self, *arguments: str) -> None:
        done = subprocess.run(["mount", *arguments, str(self._folder)], capture_output=True, text=True)
        assert done.returncode == 0, (
            f"cannot mount a disk for this test: {done.stderr.strip()}; run the tests as root, and in a container with "
            "--cap-add SYS_ADMIN and no profile that forbids mount(2)"
        )

    def fill(self) -> None:
        """Leave not one free block."""
        with self._filler.open("ab", buffering=0) as file:
            _until_full(lambda: file.write(_BLOCK))
        assert self.is_full(), "there is room left"

    def fill_names(self, left: int = 0) -> None:
        """Leave room for ``left`` more files or folders, however small."""
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
        """Give room back without a hand on any file, as if the disk had become larger."""
        self._mount("-o", "remount,size=64m,nr_inodes=100000")

    def unmount(self) -> None:
        """Take it away with all it holds; what ends in this very moment may hold it for another."""
        until(lambda: subprocess.run(["umount", str(self._folder)], capture_output=True).returncode == 0, "umount")


def _until_full(write: Callable[[], object]) -> None:
    try:
        while True:
            write()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
