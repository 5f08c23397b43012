"""``update-coordinator run``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from coordinator.errors import from_os_error

_MEMORY = {
    "MALLOC_ARENA_MAX": "1",  # a heap per thread would never be given back; ours take turns anyway
    "MALLOC_TRIM_THRESHOLD_": "131072",
}


def execute(config: Path | None, *, dry_run: bool = False) -> int:
    """Turn this process into the daemon's: what the command line needed is left behind (I12).

    The pid stays the same, for systemd and for shells. The configuration is read, and its mistakes are said, there.

    Raises:
        UnavailableError: the host has no room for a process just now.
        ConfigurationError: this interpreter is gone.
    """
    arguments = [str(config.resolve()) if config else "", "dry-run" if dry_run else ""]
    command = [sys.executable, "-m", "coordinator.process", *arguments]
    try:
        os.execve(sys.executable, command, os.environ | _MEMORY)  # noqa: S606
    except OSError as error:
        raise from_os_error(f"cannot start {sys.executable}: {error.strerror}", error) from None
