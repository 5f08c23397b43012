"""Runs that outlive the coordinator: what the executors of scripts share, whoever starts the sessions for them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Protocol

from executors.termination import end_run
from executors.interface import (
    CannotStartError,
    ExecutorSettings,
    Outcome,
    ProcessId,
    RunObserver,
    ScriptRun,
    VetFailure,
)
from executors.output import Listener
from executors.processes import alive, boot_id
from executors.run_directory import Session, attempts, forget
from executors.shells import end, pair, shells
from executors.vetting import vet
from protocol.clock import Clock
from protocol.types import ExitKind, ProbeResult

_TICK_S = 0.1  # how late a deadline or a wish to stop may be seen
_QUELL_GRACE_S = 10.0
_Claim = tuple[ProcessId, ProcessId]


class Tether(Protocol):
    """What joins this coordinator to one run that it waits for."""

    def claimed(self, claim: _Claim) -> None:
        """A session has begun to run it; called at most once."""

    def is_lost(self) -> bool:
        """Whether nobody is there any more who could claim the run."""

    def outlives_us(self) -> bool:
        """Whether the run goes on when this coordinator stops."""

    def pause(self, seconds: float) -> None:
        """Sleep until something happened, at most ``seconds``."""

    def cut(self) -> None:
        """The run was ended by force, or is lost: let go of whoever was to run it."""

    def close(self) -> None:
        """Let go of what was held for this wait alone."""


class Starter(Protocol):
    """Brings sessions to life, one way or another."""

    def ask(self, step: ScriptRun, session: Session) -> None:
        """Have a session run what ``session`` says; at most once, whatever is raised.

        Raises:
            CannotStartError: the session may exist nevertheless; who asked revokes the run, or finds it claimed.
            OSError: likewise.
        """

    def tether(self, step: ScriptRun, session: Session) -> Tether:
        """The bond to a run that was asked for here, or by an earlier coordinator."""

    def close(self) -> None:
        """Let go of everything held between runs."""


class SessionExecutor:
    """Everything it must know after a restart is in the runs' directories; see ``Executor`` for the methods."""

    def __init__(self, settings: ExecutorSettings, clock: Clock, starter: Starter) -> None:
        self._settings = settings
        self._clock = clock
        self._starter = starter
        self._mark = settings.runs.resolve()

    def vet(self, directory: Path, script: str) -> VetFailure | None:
        """See ``Executor.vet``."""
        return vet(directory, script, os.geteuid())

    def start(self, step: ScriptRun) -> None:
        """See ``Executor.start``; a second start of the same attempt is refused."""
        session = self._session(step)
        try:
            session.prepare()
        except FileExistsError:
            raise CannotStartError(
                f"cannot start {step.script}: {session.directory} shows that this attempt was made; make a new one"
            ) from None
        except OSError as error:
            raise CannotStartError(_no_start(step, error)) from error
        try:
            self._starter.ask(step, session)
        except (CannotStartError, OSError) as error:
            with contextlib.suppress(OSError):  # nobody knows whether it started: who waits for it finds out
                if session.revoke():
                    raise CannotStartError(_no_start(step, error)) from error

    def wait(self, step: ScriptRun, watch: RunObserver, *, deadline: float) -> Outcome | None:
        """See ``Executor.wait``."""
        session = self._session(step)
        with contextlib.closing(self._starter.tether(step, session)) as tether:
            return self._wait(session, tether, watch, deadline)

    def _wait(self, session: Session, tether: Tether, watch: RunObserver, deadline: float) -> Outcome | None:
        listener = Listener(session.stdout, session.stderr)
        claim = None
        noted = session.ended_by()  # an earlier coordinator had begun to end it
        while True:
            claim = claim or _claim(session, tether, watch)
            # Looked at before the exit code: a session that wrote one and ended since is not lost.
            is_lost = not alive(claim[0]) if claim else tether.is_lost()
            if noted is None and session.exit_code() is not None:
                claim = claim or _claim(session, tether, watch)  # it may have begun and ended since we looked
                while _report(listener, watch) and self._clock.monotonic() < deadline:
                    pass  # bounded by the deadline: a service left behind may write forever
                noted = session.ended_by()
                if noted is None:
                    return session.outcome(ExitKind.EXITED, self._settings.output_bytes)
                # Systemd is ending it, and may not have come to all of it yet: the next script must find none of it.
            if noted is None and watch.may_detach() and tether.outlives_us():
                return None
            cause = noted or self._cause(watch, deadline)
            if cause is not None or is_lost:
                outcome = self._end(session, cause)
                tether.cut()  # only now: a launcher without its pipe would end, and lose hold of orphans
                return outcome
            has_more = _report(listener, watch)
            tether.pause(0.0 if has_more else min(_TICK_S, max(deadline - self._clock.monotonic(), 0.0)))

    def _cause(self, watch: RunObserver, deadline: float) -> ExitKind | None:
        if watch.must_stop():
            return ExitKind.INTERRUPTED
        return ExitKind.TIMED_OUT if self._clock.monotonic() >= deadline else None

    def _end(self, session: Session, cause: ExitKind | None) -> Outcome:
        """End what is left of a run: for a ``cause``, or because its session was lost."""
        if session.claim() is None and session.revoke():
            conclusion = cause or ExitKind.NOT_STARTED
            return Outcome(conclusion, None, "", "", "it had not started yet, and never will")
        if cause is not None:
            session.note(cause)
        stuck = self._kill(session)
        if cause is None and session.exit_code() is not None:
            conclusion, detail = session.ended_by() or ExitKind.EXITED, ""
        elif cause is None:
            conclusion, detail = (
                session.ended_by() or ExitKind.INTERRUPTED,
                "its session ended, or was killed from outside, before it could say how the script ended",
            )
        else:
            conclusion, detail = cause, ""
        if stuck:
            detail += f"; processes that even KILL does not end: {', '.join(map(str, stuck))}"
        return session.outcome(conclusion, self._settings.output_bytes, detail.removeprefix("; "))

    def _kill(self, session: Session) -> list[int]:
        return end_run(session, self._clock)

    def probe(self, step: ScriptRun, identity: ProcessId | None, boot: str) -> ProbeResult:
        """See ``Executor.probe``."""
        session = self._session(step)
        is_same_boot = boot == boot_id()
        if session.exit_code() is None and not is_same_boot:
            return ProbeResult.UNKNOWN  # a power cut may have taken any of the files
        if session.exit_code() is None and session.claim() is None and identity is not None:
            end(pair(self._mark, identity), step.kill_grace_s, self._clock)  # it ran: its folder was removed since
            return ProbeResult.UNKNOWN
        if session.exit_code() is None and session.revoke():
            return ProbeResult.NEVER_STARTED
        claim = session.claim() if is_same_boot else None
        is_alive = claim is not None and identity in (None, claim[0]) and alive(claim[0])
        if session.exit_code() is None and is_alive:
            return ProbeResult.ALIVE
        is_ended = session.exit_code() is not None
        if is_same_boot and (session.ended_by() or not is_ended):
            self._kill(session)
        return ProbeResult.ENDED if is_ended else ProbeResult.UNKNOWN

    def collect(self, step: ScriptRun) -> Outcome:
        """See ``Executor.collect``."""
        session = self._session(step)
        limit = self._settings.output_bytes
        if session.exit_code() is not None:
            return session.outcome(session.ended_by() or ExitKind.EXITED, limit)
        detail = "it ended, with everything it started, before its exit code could be recorded"
        return session.outcome(session.ended_by() or ExitKind.INTERRUPTED, limit, detail)

    def kill_orphans(self) -> None:
        """See ``Executor.kill_orphans``; run directories also reveal scripts whose shells were killed."""
        end(shells(self._mark), _QUELL_GRACE_S, self._clock)
        for directory in attempts(self._settings.runs):
            session = Session.left_in(directory, _QUELL_GRACE_S)
            if session.exit_code() is None and not session.revoke():
                session.note(ExitKind.INTERRUPTED)
                self._kill(session)

    def cleanup(self, request_id: str) -> None:
        """See ``Executor.cleanup``; a stream too large for its excerpt stays as it is."""
        forget(self._settings.runs, request_id, self._settings.output_bytes)

    def close(self) -> None:
        """See ``Executor.close``."""
        self._starter.close()

    def _session(self, step: ScriptRun) -> Session:
        return Session(self._settings.runs, step)


def _claim(session: Session, tether: Tether, watch: RunObserver) -> _Claim | None:
    """Who claimed the run, told to both; None until somebody did."""
    claim = session.claim()
    if claim is not None:
        tether.claimed(claim)
        watch.started(claim[0])
    return claim


def _report(listener: Listener, watch: RunObserver) -> bool:
    """Take in new output and pass on what the script shows; whether there is more to take in."""
    has_more = listener.look()
    watch.reported(listener.report())
    return has_more


def _no_start(step: ScriptRun, error: Exception) -> str:
    remedy = "; free disk space, memory or descriptors, and ask again" if isinstance(error, OSError) else ""
    return f"cannot start {step.script}: {error}{remedy}"
