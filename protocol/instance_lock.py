"""Instance lock: one process per state folder, held until the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from protocol.clock import SystemClock
from protocol.types import ProtocolError

_TRIES, _PAUSE_S = 10, 0.05


class InstanceLockedError(ProtocolError):
    """Another process holds the lock. The operator has started two processes on one state folder."""


class InstanceLock:
    """An exclusive lock on ``path``, which holds the owner's pid for people to read."""

    def __init__(self, path: Path) -> None:
        """Acquire the lock; it is tried again for half a second, because ``is_locked`` holds it for a moment.

        Raises:
            InstanceLockedError: another process holds it.
            OSError: the file cannot be created or opened.
        """
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._acquire(path)
            os.truncate(self._descriptor, 0)
            os.write(self._descriptor, f"{os.getpid()}\n".encode())
        except BaseException:
            self.release()
            raise

    def _acquire(self, path: Path) -> None:
        clock = SystemClock()
        for _ in range(_TRIES):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                clock.sleep(_PAUSE_S)
            else:
                return
        raise InstanceLockedError(f"cannot lock {path}: another process holds it")

    def release(self) -> None:
        """Let another process acquire the lock; the kernel does so when this process ends."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock at ``path`` now; False where the file cannot be read."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
