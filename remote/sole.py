"""One process per state folder: two would take each other's answers."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from remote.errors import ConfigurationError


class Sole:
    """Holds the state folder as long as this process lives."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor: int | None = None

    def claim(self) -> None:
        """Take the folder, making it when it is missing.

        Raises:
            ConfigurationError: another process has it.
            OSError: the folder cannot be made or written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ConfigurationError(
                f"cannot use {self._path.parent}: another dunebugger-remote works there; stop it, or set paths.state"
            ) from None
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
