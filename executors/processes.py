"""Processes as /proc tells of them: who lives, who descends from whom, and how to end them all."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from executors.interface import ProcessId
from protocol.clock import Clock

_GRACE_TICK_S = 0.05
_KILL_TICK_S = 0.01
_SHELLS = (b"launcher.sh", b"session.sh")  # wherever an earlier release had them
_SHELL_WORDS = 5  # /bin/sh, the shell, its first argument, the mark; and nothing after the last NUL
_KILL_ROUNDS = 500  # what survives 5 s of KILL sleeps in the kernel; no signal ends that


@dataclass(frozen=True)
class Process:
    """One living process: fields 1, 4, 6 and 22 of its stat, proc(5)."""

    pid: int
    parent: int
    session: int
    start_ticks: int


@cache
def boot_id() -> str:
    """Names this boot of the machine: pids and ticks mean nothing beyond it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def look(pid: int) -> Process | None:
    """The living process with this pid; a zombie has ended and counts as none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123  read for every process on every look
            fields = stat.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in b"ZX":
        return None
    return Process(pid=pid, parent=int(fields[1]), session=int(fields[3]), start_ticks=int(fields[19]))


def look_around() -> dict[int, Process]:
    """Every living process, by its pid."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208  a Path for each is slow
    return {pid: found for pid in pids if (found := look(pid)) is not None}


def alive(identity: ProcessId) -> bool:
    """Whether exactly this process lives, not one that was given its pid later."""
    found = look(identity.pid) if identity.boot_id == boot_id() else None
    return found is not None and found.start_ticks == identity.start_ticks


def family(session: ProcessId, launcher: ProcessId, request_id: str) -> list[Process]:
    """Everything the session's script started that lives, without launcher, session and ourselves.

    While the launcher lives, that is exactly what descends from it. Without it, orphans went to init: then the
    session's descendants, the members of its session and whoever carries the request's id in its environment count,
    unless another launcher holds it: a second coordinator may be serving the same id. Only where that one's launcher
    is dead, too, its script would be taken for ours.
    """
    if session.boot_id != boot_id():
        return []
    everyone = look_around()
    is_held = alive(launcher)
    root = launcher if is_held else session
    members = below({root.pid}, everyone.values()) if alive(root) else set()
    leader = everyone.get(session.pid)
    if leader is None or leader.start_ticks == session.start_ticks:
        members |= {p.pid for p in everyone.values() if p.session == session.pid}
    if not is_held:
        members |= {
            p.pid
            for p in everyone.values()
            if p.start_ticks >= session.start_ticks and _serves(p.pid, request_id) and not _is_anothers(p, everyone)
        }
    return [everyone[pid] for pid in members - {session.pid, launcher.pid, os.getpid()}]


def below(roots: Iterable[int], everyone: Iterable[Process]) -> set[int]:
    """The pids of all descendants of ``roots``."""
    children: dict[int, list[int]] = {}
    for process in everyone:
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    pending = list(roots)
    while pending:
        born = children.get(pending.pop(), [])
        pending += [pid for pid in born if pid not in found]
        found.update(born)
    return found


def command_line(pid: int) -> list[bytes]:
    """The process's words, and an empty one after the last; nothing else of a zombie, and none of what is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def marked(pid: int) -> str | None:
    """The runs folder in the command line of a launcher or session; None when the process is neither."""
    words = command_line(pid)
    if len(words) != _SHELL_WORDS or words[0] != b"/bin/sh" or words[1].rpartition(b"/")[2] not in _SHELLS:
        return None
    return os.fsdecode(words[3])


def _is_anothers(process: Process, everyone: Mapping[int, Process]) -> bool:
    """Whether a living launcher or session stands above it: then it is that one's."""
    above: Process | None = process
    while above is not None and marked(above.pid) is None:
        above = everyone.get(above.parent)
    return above is not None


def _serves(pid: int, request_id: str) -> bool:
    """Whether the process was given this request's id; false for those we may not look into."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"UPDATE_REQUEST_ID={request_id}".encode() in environment.split(b"\0")


def send(pid: int, start_ticks: int, number: signal.Signals) -> None:
    """Signal exactly the process that started then; one that ended meanwhile is no error."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        found = look(pid)  # after the pidfd is held: it keeps meaning the process seen here
        if found is not None and found.start_ticks == start_ticks:
            signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(descriptor)


def terminate(members: Callable[[], list[Process]], grace_s: float, clock: Clock) -> list[int]:
    """TERM to all members, and KILL to those that are left after ``grace_s`` seconds, until none is.

    Parents first: a shell whose child ends before its own signal has come goes on with its next line, or exits
    without its trap.

    Returns:
        The pids that outlived even that: stuck in the kernel.
    """
    for member in _eldest_first(members()):
        send(member.pid, member.start_ticks, signal.SIGTERM)
    until = clock.monotonic() + grace_s
    while clock.monotonic() < until and members():
        clock.sleep(_GRACE_TICK_S)
    for _ in range(_KILL_ROUNDS):
        left = members()
        if not left:
            return []
        for member in _eldest_first(left):
            send(member.pid, member.start_ticks, signal.SIGKILL)
        clock.sleep(_KILL_TICK_S)
    return [member.pid for member in members()]


def _eldest_first(members: Iterable[Process]) -> list[Process]:
    """No child started before its parent; within one tick, pids count up."""
    return sorted(members, key=lambda member: (member.start_ticks, member.pid))
