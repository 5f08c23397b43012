"""Statistics of a process and its children, read from /proc without waking the processes."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def process_tree(pid: int) -> list[int]:
    """``pid`` first, then its descendants and every process connected to it by a pipe on stdin.

    A launcher is a child of init, so that it outlives the coordinator; its stdin identifies its owner.
    """
    pipes = {pipe for descriptor in _PROC.glob(f"{pid}/fd/*") if (pipe := _pipe(descriptor))}
    joined = [int(end.parent.parent.name) for end in _PROC.glob("[0-9]*/fd/0") if _pipe(end) in pipes]
    found = list(dict.fromkeys([pid, *joined]))
    for parent in found:
        for children in _PROC.glob(f"{parent}/task/*/children"):
            with suppress(OSError):
                found += [int(child) for child in children.read_text().split() if int(child) not in found]
    return found


def start_ticks(pid: int) -> int | None:
    """The start time of ``pid`` in clock ticks since boot, which with the pid identifies it; None if it has exited."""
    fields = _fields(pid)
    return int(fields[19]) if fields else None


def cpu_seconds(pid: int) -> float:
    """The processor time of the threads of ``pid``; finer than the ticks of 10 ms, which are too coarse when idle."""
    times = [path.read_text().split()[0] for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(map(int, times)) / 1e9


def switches(pid: int) -> dict[str, int]:
    """Context switches per thread of ``pid``, which equal its wake-ups."""
    return {
        f"{pid}/{task.parent.name}": sum(
            int(line.split(":")[1]) for line in _lines(task) if "voluntary_ctxt_switches" in line
        )
        for task in _PROC.glob(f"{pid}/task/*/status")
    }


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident memory of ``pid`` in MB (10⁶ bytes): now, and its peak."""
    values = {line.split(":")[0]: line.split()[1] for line in _lines(_PROC / str(pid) / "status") if line[:2] == "Vm"}
    return int(values["VmRSS"]) * 1024 / 1e6, int(values["VmHWM"]) * 1024 / 1e6


def pss_mb(pid: int) -> float:
    """The proportional set size (PSS) of ``pid`` in MB."""
    for line in _lines(_PROC / str(pid) / "smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def end(identities: dict[int, int | None], grace_s: float = 3.0) -> None:
    """Wait for the processes in ``identities`` (pid → start) to exit, then kill those that remain."""
    deadline = time.monotonic() + grace_s
    while left := [pid for pid, start in identities.items() if start is not None and start_ticks(pid) == start]:
        if time.monotonic() >= deadline:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, 9)
            return
        time.sleep(0.02)


def _pipe(descriptor: Path) -> str:
    """The name of the pipe of ``descriptor``; empty if it is no pipe or is closed."""
    try:
        target = os.readlink(descriptor)  # noqa: PTH115  the name of a pipe is not a path
    except OSError:
        return ""
    return target if target.startswith("pipe:") else ""


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on: the name before them may contain spaces."""
    lines = _lines(_PROC / str(pid) / "stat")
    fields = lines[0].rpartition(")")[2].split() if lines else []
    return [] if fields[:1] == ["Z"] else fields


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
