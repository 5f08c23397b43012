"""The coordinator that starts after a power cut, in this process: all of it real but threads, clock and scripts.

Its scripts leave the files that a session leaves, at once; what they would do is read from the story. A share of all
cuts is given to the real daemon and real scripts as well (``real.py``), which must come to the same.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from signal import SIGKILL

from loguru import logger

from coordinator.app import build
from coordinator.daemon import PERIOD_S, Daemon
from coordinator.settings import Component, Limits, Paths, Settings
from coordinator.state_folder import RUNS, StateFolder
from executors.backends.sh import LauncherPool
from executors.interface import ExecutorSettings, ScriptRun
from executors.processes import is_alive, stat_process
from executors.run_directory import RunDirectory
from executors.script_executor import ScriptExecutor
from fsm.errors import FsmError, JournalDamagedError
from property_tests.crash.scenarios import FAILS, HEALTHY_ONCE_ROLLED_BACK, STUBBORN, Scenario
from property_tests.simulated_host import NoWakeup, NoWatcher
from property_tests.world import HandClock
from protocol.clock import Clock

_STARTS = 3  # a supervisor's patience: who needs more never comes up
_PASSES = 10


class Successor:
    """Starts on what lies there, serves all of it, and stops.

    Args:
        root: holds ``requests/``, ``status/`` and ``state/``.
        components: the folder of the components' folders.
        scenario: what is installed, and what the scripts do.
        record: what the scripts have noted so far; those that run now go on with it.
    """

    def __init__(self, root: Path, components: Path, scenario: Scenario, record: list[str]) -> None:
        self._clock = HandClock()
        self._scenario = scenario
        self._record = record
        self._settings = Settings(
            paths=Paths(requests=root / "requests", status=root / "status", state=root / "state", log_file=None),
            limits=Limits(settle_s=0.3),
            components={
                name: Component(directory=components / name, lock=part.lock, **part.settings)
                for name, part in scenario.components.items()
            },
        )

    def serve(self) -> None:
        """Do all there is to do.

        Raises:
            AssertionError: it never comes up, or never comes to an end.
        """
        logger.disable("coordinator")
        try:
            for _ in range(_STARTS):
                try:
                    with ExitStack() as resources:
                        self._work(self._build(resources))
                        return
                except JournalDamagedError:
                    StateFolder(self._settings.paths.state).mark_suspect()
                except (FsmError, OSError) as error:
                    trouble = error
        finally:
            logger.enable("coordinator")
        raise AssertionError(f"it does not come up: {trouble}")

    def _build(self, resources: ExitStack) -> Daemon:
        runs = self._settings.paths.state / RUNS
        settings = ExecutorSettings(runs, self._settings.limits.output_bytes)
        return build(
            self._settings,
            resources,
            clock=self._clock,
            executor=_Theatre(settings, self._clock, self._play),
            watcher=NoWatcher(),
            make_wakeup=NoWakeup,
        )

    def _work(self, daemon: Daemon) -> None:
        for _ in range(_PASSES):
            pause = daemon.run_once()
            for lock in self._settings.lanes:
                while daemon.lanes.run_next(lock) == 0:
                    continue
            if pause >= PERIOD_S:
                return
            self._clock.sleep(pause)
        raise AssertionError("it never comes to rest")

    def _play(self, step: ScriptRun, run: Path) -> None:
        """What a session does with a run, and the script with its time; the session lives as long as we do."""
        (run / "session").write_text(_claim())
        self._record.append(f"begin {step.script} {step.request_id}")
        code = self._act(step)
        if code is None:
            return
        self._record.append(f"end {step.script} {step.request_id} {code}")
        with (run / "session").open("a") as session:
            session.write(f"exit {code}\n")

    def _act(self, step: ScriptRun) -> int | None:
        """The script's exit code; None when it runs until it is ended."""
        text = self._scenario.components[step.component].scripts.get(step.script, "")
        if text == HEALTHY_ONCE_ROLLED_BACK:
            return 0 if any(line.startswith("end rollback.sh") for line in self._record) else 3
        return {FAILS: 3, STUBBORN: None}.get(text, 0)


class _Players(LauncherPool):
    """What would be handed to a launcher is played at once."""

    def __init__(self, mark: Path, clock: Clock, play) -> None:
        super().__init__(mark, clock)
        self._play = play

    def spawn(self, directory: RunDirectory) -> None:
        """See ``Spawner.spawn``."""
        self._play(directory.run, directory.path)


class _Theatre(ScriptExecutor):
    """The real executor, with players for launchers."""

    def __init__(self, settings: ExecutorSettings, clock: Clock, play) -> None:
        super().__init__(settings, clock, _Players(settings.runs, clock, play))

    def _kill(self, directory: RunDirectory) -> list[int]:
        """Only a session of this life still lives; it says how its script was ended."""
        claim = directory.claim()
        if claim is not None and is_alive(claim.worker) and directory.exit_code() is None:
            with Path(directory.path, "session").open("a") as file:
                file.write(f"exit {128 + SIGKILL}\n")
        return []


def _claim() -> str:
    """As a session's and its launcher's: of the one process that is sure to live, ours."""
    own = stat_process(os.getpid())
    assert own is not None
    return f"{own.pid} {own.start_ticks} {own.pid} {own.start_ticks}\n"
