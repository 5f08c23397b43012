"""Processes as /proc shows them: identity, descendants, command line, environment, systemd unit."""

from __future__ import annotations

import os
import signal
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from executors.interface import ProcessId

_SHELLS = (b"launcher.sh", b"session.sh")  # in any folder: also matches the shells of earlier releases
_SHELL_WORDS = 5  # /bin/sh, the shell script, its first argument, the mark; and an empty one after the last NUL
_UNIT_PREFIX = "dunebugger-request-"
_UNIT_SUFFIX = ".service"
_UNIT_STOP = [b"-m", b"executors.unit_stop"]


@dataclass(frozen=True)
class Process:
    """One living process: fields 1, 4, 6 and 22 of its stat, proc(5)."""

    pid: int
    parent: int
    session: int
    start_ticks: int


@cache
def boot_id() -> str:
    """The identifier of this boot; pids and clock ticks are valid only within it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def stat_process(pid: int) -> Process | None:
    """The living process with this pid; None for a zombie, which has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123  a Path costs much here: read for every process
            fields = stat.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in b"ZX":
        return None
    return Process(pid=pid, parent=int(fields[1]), session=int(fields[3]), start_ticks=int(fields[19]))


def list_processes() -> dict[int, Process]:
    """All living processes by pid."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208  a Path for each is slow
    return {pid: found for pid in pids if (found := stat_process(pid)) is not None}


def is_alive(identity: ProcessId) -> bool:
    """Whether exactly this process is alive, not a later one with its pid."""
    found = stat_process(identity.pid) if identity.boot_id == boot_id() else None
    return found is not None and found.start_ticks == identity.start_ticks


def descendants(roots: Iterable[int], processes: Iterable[Process]) -> set[int]:
    """The pids of all children of ``roots``, of their children, and so on."""
    children: dict[int, list[int]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    pending = list(roots)
    while pending:
        direct = children.get(pending.pop(), [])
        pending += [pid for pid in direct if pid not in found]
        found.update(direct)
    return found


def process_tree(worker: ProcessId, launcher: ProcessId, request_id: str) -> list[Process]:
    """All living processes that the worker's script started, without launcher, worker and this process.

    While the launcher lives, these are its descendants: it is a subreaper. Without it orphans are children of init;
    then the worker's descendants, the members of its POSIX session and the processes with the request's id in their
    environment count, except those below another launcher or worker: a second coordinator may serve the same id. Only
    orphans of a second coordinator whose shells are dead as well would be mistaken for those of this run.
    """
    if worker.boot_id != boot_id():
        return []
    processes = list_processes()
    has_launcher = is_alive(launcher)
    root = launcher if has_launcher else worker
    members = descendants({root.pid}, processes.values()) if is_alive(root) else set()
    leader = processes.get(worker.pid)
    if leader is None or leader.start_ticks == worker.start_ticks:
        members |= {
            process.pid
            for process in processes.values()
            if process.session == worker.pid and process.start_ticks >= worker.start_ticks
        }
    if not has_launcher:
        members |= {
            process.pid
            for process in processes.values()
            if process.start_ticks >= worker.start_ticks
            and serves_request(process.pid, request_id)
            and not _is_below_shell(process, processes)
        }
    return [processes[pid] for pid in members - {worker.pid, launcher.pid, os.getpid()}]


def _is_below_shell(process: Process, processes: Mapping[int, Process]) -> bool:
    """Whether a living launcher or worker is an ancestor of the process."""
    ancestor: Process | None = process
    seen: set[int] = set()  # a pid that was reused while /proc was read can close a circle (I16)
    while ancestor is not None and ancestor.pid not in seen:
        if runs_folder_of(ancestor.pid) is not None:
            return True
        seen.add(ancestor.pid)
        ancestor = processes.get(ancestor.parent)
    return False


def command_line(pid: int) -> list[bytes]:
    """The process's arguments, then an empty one; of a zombie only the empty one; [] when there is no process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def runs_folder_of(pid: int) -> str | None:
    """The runs folder in the command line of a launcher or worker; None when the process is neither."""
    words = command_line(pid)
    if len(words) != _SHELL_WORDS or words[0] != b"/bin/sh" or words[1].rpartition(b"/")[2] not in _SHELLS:
        return None
    return os.fsdecode(words[3])


def serves_request(pid: int, request_id: str) -> bool:
    """Whether the process was started with this request's id in its environment; False when that is not readable."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"UPDATE_REQUEST_ID={request_id}".encode() in environment.split(b"\0")


def unit_name(run_directory: Path) -> str:
    """The systemd unit of one attempt: ``dunebugger-request-ID-ATTEMPT-COORDINATOR.service``.

    For every valid request id it is within systemd's 255 characters and its alphabet. The last part distinguishes the
    coordinators of a host: two of them may serve the same id.
    """
    runs, request_id, attempt = run_directory.parents[1], run_directory.parent.name, run_directory.name
    return f"{_UNIT_PREFIX}{request_id}-{attempt}-{zlib.crc32(os.fsencode(runs.resolve())):08x}{_UNIT_SUFFIX}"


def unit_of(pid: int) -> str | None:
    """The unit of a run that contains the process; None when none does, or the process ended.

    Found by name in the control group's path: where the hierarchy is mounted, and its version, differ between hosts.
    """
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(errors="replace").splitlines()
    except OSError:
        return None
    parts = (part for line in lines for part in line.split(":", 2)[-1].split("/"))
    return next((part for part in parts if part.startswith(_UNIT_PREFIX) and part.endswith(_UNIT_SUFFIX)), None)


def unit_members(unit: str) -> list[Process]:
    """All living processes in the unit, except the one that systemd started there to end them (unit_stop.py)."""
    return [
        found
        for found in list_processes().values()
        if unit_of(found.pid) == unit and command_line(found.pid)[1:3] != _UNIT_STOP
    ]


def send_signal(process: Process | ProcessId, number: signal.Signals) -> None:
    """Signal exactly this process; do nothing when it has ended, or when this user may not signal it."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        found = stat_process(process.pid)  # after the pidfd is open: it keeps referring to the process seen here
        if found is not None and found.start_ticks == process.start_ticks:
            signal.pidfd_send_signal(descriptor, number)
    except (ProcessLookupError, PermissionError):
        pass
    finally:
        os.close(descriptor)
