"""Launchers and sessions found without any file: by the mark in their command lines."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from signal import SIGKILL, SIGSTOP

from executors.interface import ProcessId
from executors.processes import Process, below, look_around, marked, send, terminate
from executors.units import unit_of
from protocol.clock import Clock


def shells(runs: Path) -> list[Process]:
    """Every living launcher and session whose mark is ``runs``, a resolved path."""
    return [process for process in look_around().values() if marked(process.pid) == str(runs)]


def pair(runs: Path, session: ProcessId) -> list[Process]:
    """Exactly that session, if it lives and is marked with ``runs``, and the launcher above it."""
    found = shells(runs)
    of_session = [shell for shell in found if (shell.pid, shell.start_ticks) == (session.pid, session.start_ticks)]
    parents = {shell.parent for shell in of_session}
    return of_session + [shell for shell in found if shell.pid in parents]


def end(found: list[Process], grace_s: float, clock: Clock) -> None:
    """End everything below these launchers and sessions, then themselves."""
    if not found:
        return
    for shell in found:
        send(shell.pid, shell.start_ticks, SIGSTOP)  # nothing new is started meanwhile; orphans still go to launchers
    terminate(partial(_offspring, found), grace_s, clock)
    for shell in found:
        send(shell.pid, shell.start_ticks, SIGKILL)


def _offspring(found: Iterable[Process]) -> list[Process]:
    """What lives below one of these shells, or in its session or unit; without themselves and us."""
    everyone = look_around()
    roots = {shell.pid for shell in found if everyone.get(shell.pid, shell).start_ticks == shell.start_ticks}
    born = below(roots, everyone.values()) | {p.pid for p in everyone.values() if p.session in roots}
    if units := {unit for root in roots if (unit := unit_of(root))}:
        born |= {pid for pid in everyone if unit_of(pid) in units}
    return [everyone[pid] for pid in born - roots - {os.getpid()}]
