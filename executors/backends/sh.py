"""Scripts as sessions of a launcher that ``sh`` started: they outlive the coordinator's death, and are found again."""

from __future__ import annotations

import contextlib
from pathlib import Path

from executors.interface import Executor, ExecutorSettings, ProcessId, ScriptRun
from executors.launcher import Launcher
from executors.run_directory import Session
from executors.script_executor import SessionExecutor
from protocol.clock import Clock


def create(settings: ExecutorSettings, clock: Clock) -> Executor:
    """The executor for scripts started through ``sh``."""
    return SessionExecutor(settings, clock, Launchers(settings.runs.resolve(), clock))


class Launchers:
    """Keeps one launcher per lane; each lane's own thread alone touches its entry."""

    def __init__(self, mark: Path, clock: Clock) -> None:
        self._mark = mark
        self._clock = clock
        self._launchers: dict[str, Launcher] = {}

    def ask(self, step: ScriptRun, session: Session) -> None:
        """Hand the run to the lane's launcher: the present one, or a new one if that died or is burdened."""
        launcher = self._launchers.get(step.lane)
        if launcher is not None:
            if not (launcher.gone or launcher.is_burdened()):
                with contextlib.suppress(BrokenPipeError):
                    launcher.ask(session.directory)
                    return
            self.drop(step.lane)
        launcher = self._launchers[step.lane] = Launcher(self._mark)
        launcher.ask(session.directory)

    def tether(self, step: ScriptRun, session: Session) -> _Tether:
        """The launcher that was asked; none for a run that an earlier coordinator's launcher has."""
        launcher = self._launchers.get(step.lane)
        if launcher is not None and launcher.run != session.directory:
            launcher = None
        return _Tether(self, step.lane, launcher, self._clock)

    def drop(self, lane: str) -> None:
        """Let the lane's launcher go."""
        launcher = self._launchers.pop(lane, None)
        if launcher is not None:
            launcher.close()

    def close(self) -> None:
        """Let all go; a session that still runs ends first."""
        for lane in list(self._launchers):
            self.drop(lane)


class _Tether:
    """Two pipes to the launcher, if it is ours; else the clock."""

    def __init__(self, launchers: Launchers, lane: str, launcher: Launcher | None, clock: Clock) -> None:
        self._launchers = launchers
        self._lane = lane
        self._launcher = launcher
        self._clock = clock

    def claimed(self, claim: tuple[ProcessId, ProcessId]) -> None:
        if self._launcher is not None:
            self._launcher.session, self._launcher.identity = claim

    def is_lost(self) -> bool:
        return self._launcher is None or self._launcher.gone

    def outlives_us(self) -> bool:
        return False  # whoever stops us, as systemd does, may end our launchers with us

    def pause(self, seconds: float) -> None:
        if self._launcher is not None and not self._launcher.gone:
            self._launcher.pause(seconds)
        else:
            self._clock.sleep(seconds)

    def cut(self) -> None:
        if self._launcher is not None:
            self._launchers.drop(self._lane)

    def close(self) -> None:
        """Nothing is held for one wait alone."""
