"""Backend ``sh``: scripts run in workers of a launcher that ``sh`` started; they survive a killed coordinator."""

from __future__ import annotations

import contextlib
from pathlib import Path

from executors.interface import Executor, ExecutorSettings
from executors.launcher import Launcher
from executors.run_directory import Claim, RunDirectory
from executors.script_executor import ScriptExecutor
from protocol.clock import Clock


def create(settings: ExecutorSettings, clock: Clock) -> Executor:
    """Return the executor for scripts started through ``sh``."""
    return ScriptExecutor(settings, clock, LauncherPool(settings.runs.resolve(), clock))


class LauncherPool:
    """Keeps one launcher per lane; only the lane's own thread touches its entry. See ``Spawner`` for the methods."""

    def __init__(self, runs_folder: Path, clock: Clock) -> None:
        self._runs_folder = runs_folder
        self._clock = clock
        self._launchers: dict[str, Launcher] = {}

    def spawn(self, directory: RunDirectory) -> None:
        """Pass the run to the lane's launcher; to a new one if that is gone or has leftovers of earlier scripts.

        Leftovers are services that a script started on purpose: a later run's deadline must not end them.
        """
        lane = directory.run.lane
        launcher = self._launchers.get(lane)
        if launcher is not None:
            if not (launcher.is_gone or launcher.has_leftovers()):
                with contextlib.suppress(BrokenPipeError):
                    launcher.submit(directory.path)
                    return
            self.discard(lane)
        launcher = self._launchers[lane] = Launcher(self._runs_folder)
        launcher.submit(directory.path)

    def attach(self, directory: RunDirectory) -> _LauncherHandle:
        """See ``Spawner.attach``; a run of an earlier coordinator's launcher has no pipe to this process."""
        launcher = self._launchers.get(directory.run.lane)
        if launcher is not None and launcher.run_directory != directory.path:
            launcher = None
        return _LauncherHandle(self, directory.run.lane, launcher, self._clock)

    def discard(self, lane: str) -> None:
        """Close the lane's launcher."""
        launcher = self._launchers.pop(lane, None)
        if launcher is not None:
            launcher.close()

    def close(self) -> None:
        """Close all launchers; a script that runs ends first."""
        for lane in list(self._launchers):
            self.discard(lane)


class _LauncherHandle:
    """Waits for the launcher's notices, if this process started it; else polls. See ``RunHandle`` for the methods."""

    def __init__(self, pool: LauncherPool, lane: str, launcher: Launcher | None, clock: Clock) -> None:
        self._pool = pool
        self._lane = lane
        self._launcher = launcher
        self._clock = clock

    def claimed(self, claim: Claim) -> None:
        if self._launcher is not None:
            self._launcher.claim = claim

    def is_lost(self) -> bool:
        return self._launcher is None or self._launcher.is_gone

    def survives_coordinator(self) -> bool:
        return False  # systemd, when it stops the coordinator's unit, may end the launchers in it

    def pause(self, seconds: float) -> None:
        if self._launcher is not None and not self._launcher.is_gone:
            self._launcher.pause(seconds)
        else:
            self._clock.sleep(seconds)

    def discard(self) -> None:
        if self._launcher is not None:
            self._pool.discard(self._lane)

    def close(self) -> None:
        """Nothing is held for one wait alone."""
