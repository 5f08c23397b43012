"""One process per state folder: two would take each other's answers."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from remote.errors import ConfigurationError


def claim(folder: Path) -> None:
    """Take the state folder, making it when it is missing, for as long as this process lives.

    Raises:
        ConfigurationError: another process has it.
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until the kernel closes what this process opened
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigurationError(
            f"cannot use {folder}: another dunebugger-remote works there; stop it, or set paths.state"
        ) from None
