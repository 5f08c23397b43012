"""Scripts as sessions of a launcher that ``sh`` started: they outlive the coordinator, and are found again."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path
from signal import SIGKILL, SIGSTOP

from executors.errors import CannotStartError
from executors.launcher import Launcher
from executors.output import Follower
from executors.processes import alive, boot_id, family, send, terminate
from executors.session import Session, forget
from executors.settings import ExecutorSettings
from executors.shells import end, pair, shells
from executors.step import Conclusion, Executor, Identity, Objection, Outcome, Step, Trace, Watch
from executors.vetting import vet
from protocol.clock import Clock
from protocol.vocabulary import Action

_TICK_S = 0.1  # how late a deadline or a wish to stop may be seen
_QUELL_GRACE_S = 10.0
_EXIT_TICK_S = 0.01
_EXIT_S = 5.0  # for a session to write its exit code once its script is dead


def create(settings: ExecutorSettings, clock: Clock) -> Executor:
    """The executor for scripts started through ``sh``."""
    return ShExecutor(settings, clock)


class ShExecutor:
    """Keeps one launcher per lane; everything it must know after a restart is in the runs' directories."""

    def __init__(self, settings: ExecutorSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._mark = settings.runs.resolve()
        self._launchers: dict[str, Launcher] = {}  # each lane's own thread alone touches its entry

    def vet(self, directory: Path, script: str) -> Objection | None:
        """See ``Executor.vet``."""
        return vet(directory, script, os.geteuid())

    def start(self, step: Step) -> None:
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
            self._ask(step.lane, session.directory)
        except (CannotStartError, OSError) as error:
            with contextlib.suppress(OSError):
                session.revoke()
            raise CannotStartError(_no_start(step, error)) from error

    def _ask(self, lane: str, run: Path) -> None:
        """Hand the run to the lane's launcher: the present one, or a new one if that died or is burdened."""
        launcher = self._launchers.get(lane)
        if launcher is not None:
            if not (launcher.gone or launcher.is_burdened()):
                with contextlib.suppress(BrokenPipeError):
                    launcher.ask(run)
                    return
            self._drop(lane)
        launcher = self._launchers[lane] = Launcher(self._mark)
        launcher.ask(run)

    def _drop(self, lane: str) -> None:
        launcher = self._launchers.pop(lane, None)
        if launcher is not None:
            launcher.close()

    def wait(self, step: Step, watch: Watch, *, deadline: float) -> Outcome:
        """See ``Executor.wait``."""
        session = self._session(step)
        launcher = self._launchers.get(step.lane)
        if launcher is not None and launcher.run != session.directory:
            launcher = None  # an earlier coordinator's launcher runs it
        follower = Follower(session.stdout)
        claim = None
        noted = session.ended_by()  # an earlier coordinator had begun to end it
        while True:
            if claim is None and (claim := session.claim()) is not None:
                if launcher is not None:
                    launcher.session, launcher.identity = claim
                watch.started(claim[0])
            # Looked at before the exit code: a session that wrote one and ended since is not lost.
            is_lost = not alive(claim[0]) if claim else launcher is None or launcher.gone
            if noted is None and session.exit_code() is not None:
                while _report(follower, watch) and self._clock.monotonic() < deadline:
                    pass  # bounded by the deadline: a service left behind may write forever
                return session.outcome(Conclusion.EXITED, self._settings.output_bytes)
            cause = noted or self._cause(watch, deadline)
            if cause is not None or is_lost:
                outcome = self._end(session, cause)
                if launcher is not None:
                    self._drop(step.lane)  # only now: without its pipe it would end, and lose hold of orphans
                return outcome
            has_more = _report(follower, watch)
            self._pause(launcher, 0.0 if has_more else min(_TICK_S, max(deadline - self._clock.monotonic(), 0.0)))

    def _pause(self, launcher: Launcher | None, seconds: float) -> None:
        if launcher is not None and not launcher.gone:
            launcher.pause(seconds)
        else:
            self._clock.sleep(seconds)

    def _cause(self, watch: Watch, deadline: float) -> Conclusion | None:
        if watch.must_stop():
            return Conclusion.INTERRUPTED
        return Conclusion.TIMED_OUT if self._clock.monotonic() >= deadline else None

    def _end(self, session: Session, cause: Conclusion | None) -> Outcome:
        """End what is left of a run: for a ``cause``, or because its session was lost."""
        if session.claim() is None and session.revoke():
            conclusion = cause or Conclusion.NOT_STARTED
            return Outcome(conclusion, None, "", "", "it had not started yet, and never will")
        if cause is not None:
            session.note(cause)
        stuck = self._kill(session)
        if cause is None and session.exit_code() is not None:
            conclusion, detail = Conclusion.EXITED, ""
        elif cause is None:
            conclusion, detail = (
                Conclusion.INTERRUPTED,
                "its session ended, or was killed from outside, before it could say how the script ended",
            )
        else:
            conclusion, detail = cause, ""
        if stuck:
            detail += f"; processes that even KILL does not end: {', '.join(map(str, stuck))}"
        return session.outcome(conclusion, self._settings.output_bytes, detail.removeprefix("; "))

    def _kill(self, session: Session) -> list[int]:
        """End everything below a claimed run's launcher, then both shells; the pids that would not go."""
        claim = session.claim()
        if claim is None:
            return []
        parked, launcher = claim
        send(launcher.pid, launcher.start_ticks, SIGSTOP)  # no new session is parked meanwhile; orphans still go to it
        members = partial(family, parked, launcher, session.step.request_id)
        stuck = terminate(members, session.step.kill_grace_s, self._clock)
        until = self._clock.monotonic() + _EXIT_S
        while session.exit_code() is None and alive(parked) and self._clock.monotonic() < until:
            self._clock.sleep(_EXIT_TICK_S)
        for shell in claim:
            send(shell.pid, shell.start_ticks, SIGKILL)
        return stuck

    def trace(self, step: Step, identity: Identity | None, boot: str) -> Trace:
        """See ``Executor.trace``."""
        session = self._session(step)
        is_same_boot = boot == boot_id()
        if session.exit_code() is None and not is_same_boot:
            return Trace.UNKNOWN  # a power cut may have taken any of the files
        if session.exit_code() is None and session.claim() is None and identity is not None:
            end(pair(self._mark, identity), step.kill_grace_s, self._clock)  # it ran: its folder was removed since
            return Trace.UNKNOWN
        if session.exit_code() is None and session.revoke():
            return Trace.NEVER_STARTED
        claim = session.claim() if is_same_boot else None
        is_alive = claim is not None and identity in (None, claim[0]) and alive(claim[0])
        if session.exit_code() is None and is_alive:
            return Trace.ALIVE
        is_ended = session.exit_code() is not None
        if is_same_boot and (session.ended_by() or not is_ended):
            self._kill(session)
        return Trace.ENDED if is_ended else Trace.UNKNOWN

    def collect(self, step: Step) -> Outcome:
        """See ``Executor.collect``."""
        session = self._session(step)
        limit = self._settings.output_bytes
        if session.exit_code() is not None:
            return session.outcome(session.ended_by() or Conclusion.EXITED, limit)
        detail = "it ended, with everything it started, before its exit code could be recorded"
        return session.outcome(session.ended_by() or Conclusion.INTERRUPTED, limit, detail)

    def quell(self) -> None:
        """See ``Executor.quell``; the folders still tell of scripts that somebody robbed of both their shells."""
        end(shells(self._mark), _QUELL_GRACE_S, self._clock)
        for directory in self._settings.runs.glob("*/[0-9]*"):
            session = Session(self._settings.runs, _leftover(directory))
            if session.exit_code() is None and not session.revoke():
                session.note(Conclusion.INTERRUPTED)
                self._kill(session)

    def forget(self, request_id: str) -> None:
        """See ``Executor.forget``; a stream too large for its excerpt stays as it is."""
        forget(self._settings.runs, request_id, self._settings.output_bytes)

    def close(self) -> None:
        """See ``Executor.close``."""
        for lane in list(self._launchers):
            self._drop(lane)

    def _session(self, step: Step) -> Session:
        return Session(self._settings.runs, step)


def _leftover(directory: Path) -> Step:
    """As much of a step as a run's directory tells on its own."""
    return Step(
        request_id=directory.parent.name,
        attempt=int(directory.name),
        lane="",
        component="",
        action=Action.HEALTH,
        directory=Path("/"),
        script="",
        arguments=(),
        version="",
        rollback_of="",
        timeout_s=0,
        kill_grace_s=_QUELL_GRACE_S,
    )


def _report(follower: Follower, watch: Watch) -> bool:
    """Take in new output and pass on what changed; whether there is more to take in."""
    before = follower.phase, follower.percent
    has_more = follower.look()
    if (follower.phase, follower.percent) != before:
        watch.progressed(follower.phase, follower.percent)
    return has_more


def _no_start(step: Step, error: Exception) -> str:
    return f"cannot start {step.script}: {error}; free disk space, memory or descriptors, and ask again"
