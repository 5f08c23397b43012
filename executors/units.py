"""Transient systemd units, one per run: their names, and what lives in them as /proc tells."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from executors.processes import Process, command_line, look_around

_PREFIX = "dunebugger-request-"
_SUFFIX = ".service"


def name_of(run: Path) -> str:
    """The unit of one attempt, whose directory is ``run``: ``dunebugger-request-ID-ATTEMPT-COORDINATOR.service``.

    Within systemd's 255 characters, and its alphabet, for every valid request id. The last word tells coordinators of
    one host apart: two of them may serve the same id.
    """
    runs, request_id, attempt = run.parents[1], run.parent.name, run.name
    return f"{_PREFIX}{request_id}-{attempt}-{zlib.crc32(os.fsencode(runs.resolve())):08x}{_SUFFIX}"


def unit_of(pid: int) -> str | None:
    """The unit of a run that holds the process; None when none does, or it ended.

    Looked for by name: where the hierarchy is mounted, and of which version it is, differs between hosts.
    """
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(errors="replace").splitlines()
    except OSError:
        return None
    parts = (part for line in lines for part in line.split(":", 2)[-1].split("/"))
    return next((part for part in parts if part.startswith(_PREFIX) and part.endswith(_SUFFIX)), None)


def members(unit: str) -> list[Process]:
    """Every living process in the unit, without whoever systemd has started there to end them (unit_stop.py)."""
    return [found for found in look_around().values() if unit_of(found.pid) == unit and not _is_ending(found.pid)]


def _is_ending(pid: int) -> bool:
    return command_line(pid)[1:3] == [b"-m", b"executors.unit_stop"]
