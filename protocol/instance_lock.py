"""Instance lock: one process per state folder, held until the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from protocol.types import ProtocolError


class InstanceLockedError(ProtocolError):
    """Another process holds the lock. The operator has started two processes on one state folder."""


class InstanceLock:
    """An exclusive lock on ``path``, which holds the owner's pid for people to read."""

    def __init__(self, path: Path) -> None:
        """Acquire the lock, without waiting.

        Raises:
            InstanceLockedError: another process holds it.
            OSError: the file cannot be created or opened.
        """
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.truncate(self._descriptor, 0)
            os.write(self._descriptor, f"{os.getpid()}\n".encode())
        except BlockingIOError:
            self.release()
            raise InstanceLockedError(f"cannot lock {path}: another process holds it") from None
        except BaseException:
            self.release()
            raise

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
