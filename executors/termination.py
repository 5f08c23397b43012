"""Ends one claimed run, with everything its script started, whoever asks: a coordinator, its successor, or systemd."""

from __future__ import annotations

from functools import partial
from signal import SIGKILL, SIGSTOP

from executors import units
from executors.interface import ProcessId
from executors.processes import Process, alive, family, send, terminate
from executors.run_directory import Session
from protocol.clock import Clock

_EXIT_TICK_S = 0.01
_EXIT_S = 5.0  # for a session to write its exit code once its script is dead


def end_run(session: Session, clock: Clock) -> list[int]:
    """TERM, and after the grace KILL, to everything below a claimed run; then its shells go.

    Returns:
        The pids that would not go: stuck in the kernel.
    """
    claim = session.claim()
    if claim is None:
        return []
    itself, launcher = claim
    if is_in_unit(claim):
        members = partial(_held, session, itself)
    else:
        send(launcher.pid, launcher.start_ticks, SIGSTOP)  # no new session is parked meanwhile; orphans still go to it
        members = partial(family, itself, launcher, session.step.request_id)
    stuck = terminate(members, session.step.kill_grace_s, clock)
    until = clock.monotonic() + _EXIT_S
    while session.exit_code() is None and alive(itself) and clock.monotonic() < until:
        clock.sleep(_EXIT_TICK_S)
    for shell in claim:
        send(shell.pid, shell.start_ticks, SIGKILL)
    return stuck


def is_in_unit(claim: tuple[ProcessId, ProcessId]) -> bool:
    """Whether systemd started the session: then it has no launcher, and names itself twice."""
    return claim[0] == claim[1]


def _held(session: Session, itself: ProcessId) -> list[Process]:
    """What lives in the run's unit, and what descends from its session though it went elsewhere, as ``su`` may."""
    found = family(itself, itself, session.step.request_id) + units.members(units.name_of(session.directory))
    return list({process.pid: process for process in found if process.pid != itself.pid}.values())
