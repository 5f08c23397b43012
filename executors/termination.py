"""Ends runs with everything their scripts started: for a coordinator, its successor, or systemd."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from signal import SIGKILL, SIGSTOP, SIGTERM

from executors.interface import ProcessId
from executors.processes import (
    Process,
    descendants,
    is_alive,
    list_processes,
    process_tree,
    runs_folder_of,
    send_signal,
    serves_request,
    unit_members,
    unit_name,
    unit_of,
)
from executors.run_directory import RunDirectory
from protocol.clock import Clock

_GRACE_TICK_S = 0.05
_KILL_TICK_S = 0.01
_KILL_ROUNDS = 500  # a process that survives 5 s of KILL is blocked in the kernel; no signal ends it
_EXIT_TICK_S = 0.01
_EXIT_S = 5.0  # for a worker to write its exit code once its script is dead


def terminate(members: Callable[[], list[Process]], grace_s: float, clock: Clock) -> list[int]:
    """Send TERM to all members; after ``grace_s`` seconds KILL to the rest, until none is left, at most 500 times.

    Parents first: a shell whose child ends before its own signal arrives continues with its next line, or exits
    without its trap.

    Returns:
        The pids that survive KILL: blocked in the kernel, or of another user.
    """
    for member in _oldest_first(members()):
        send_signal(member, SIGTERM)
    until = clock.monotonic() + grace_s
    while clock.monotonic() < until and members():
        clock.sleep(_GRACE_TICK_S)
    for _ in range(_KILL_ROUNDS):
        left = members()
        if not left:
            return []
        for member in _oldest_first(left):
            send_signal(member, SIGKILL)
        clock.sleep(_KILL_TICK_S)
    return [member.pid for member in members()]


def end_run(directory: RunDirectory, clock: Clock) -> list[int]:
    """Send TERM, and after the grace KILL, to all that a claimed run started; then kill its shells.

    Returns:
        The pids that survive KILL.

    Raises:
        OSError: the claim or /proc cannot be read.
    """
    claim = directory.claim()
    if claim is None:
        return []
    if claim.is_in_unit:
        members = partial(_unit_tree, directory, claim.worker)
    else:
        send_signal(claim.launcher, SIGSTOP)  # stopped, it starts no new worker, and remains the orphans' parent
        members = partial(process_tree, claim.worker, claim.launcher, directory.run.request_id)
    stuck = terminate(members, directory.run.kill_grace_s, clock)
    until = clock.monotonic() + _EXIT_S
    while directory.exit_code() is None and is_alive(claim.worker) and clock.monotonic() < until:
        clock.sleep(_EXIT_TICK_S)
    for shell in (claim.worker, claim.launcher):
        send_signal(shell, SIGKILL)
    return stuck


def _unit_tree(directory: RunDirectory, worker: ProcessId) -> list[Process]:
    """The processes in the run's unit, and the worker's descendants in other units, where ``su`` moves them."""
    found = process_tree(worker, worker, directory.run.request_id) + unit_members(unit_name(directory.path))
    return list({process.pid: process for process in found if process.pid != worker.pid}.values())


def find_shells(runs: Path) -> list[Process]:
    """All living launchers and workers whose mark is ``runs``, a resolved path; found without any file."""
    return [process for process in list_processes().values() if runs_folder_of(process.pid) == str(runs)]


def shells_of_worker(runs: Path, worker: ProcessId) -> list[Process]:
    """The worker, if it lives and is marked with ``runs``, and its launcher."""
    return _with_launchers(find_shells(runs), {worker.pid: worker.start_ticks})


def shells_of_request(runs: Path, request_id: str) -> list[Process]:
    """The workers marked with ``runs`` that run a script of the request now, and their launchers."""
    shells = find_shells(runs)
    parents = {process.parent for process in list_processes().values() if serves_request(process.pid, request_id)}
    return _with_launchers(shells, {shell.pid: shell.start_ticks for shell in shells if shell.pid in parents})


def _with_launchers(shells: list[Process], workers: dict[int, int]) -> list[Process]:
    """Those of ``shells`` that are ``workers`` (pid → start), or the parent of one."""
    found = [shell for shell in shells if workers.get(shell.pid) == shell.start_ticks]
    parents = {shell.parent for shell in found}
    return found + [shell for shell in shells if shell.pid in parents and shell not in found]


def end_shells(shells: list[Process], grace_s: float, clock: Clock) -> list[int]:
    """End everything below these launchers and workers, then the shells themselves.

    Returns:
        The pids that survive KILL.
    """
    if not shells:
        return []
    for shell in shells:
        send_signal(shell, SIGSTOP)  # stopped, they start nothing new, and remain the orphans' parents
    stuck = terminate(partial(_below_shells, shells), grace_s, clock)
    for shell in shells:
        send_signal(shell, SIGKILL)
    return stuck


def _below_shells(shells: Iterable[Process]) -> list[Process]:
    """The shells' descendants and the members of their POSIX sessions and units, without shells and this process."""
    processes = list_processes()
    roots = {shell.pid for shell in shells if processes.get(shell.pid, shell).start_ticks == shell.start_ticks}
    found = descendants(roots, processes.values()) | {p.pid for p in processes.values() if p.session in roots}
    if units := {unit for root in roots if (unit := unit_of(root))}:
        found |= {pid for pid in processes if unit_of(pid) in units}
    return [processes[pid] for pid in found - roots - {os.getpid()}]


def _oldest_first(members: Iterable[Process]) -> list[Process]:
    """Parents before children: no child starts before its parent, and within one tick pids count up."""
    return sorted(members, key=lambda member: (member.start_ticks, member.pid))
