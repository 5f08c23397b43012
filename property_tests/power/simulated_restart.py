"""In-process restart of the coordinator on a crash state: real code, simulated threads, clock and scripts.

Its scripts write the files of a real worker, at once; their effects come from the scenario. On a share of all crash
states the real daemon is started too, with real scripts (``daemon_restart.py``); it must give the same result.
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
from property_tests.crash.scenarios import FAILS, HEALTHY_ONCE_ROLLED_BACK, IGNORES_TERM, Scenario
from property_tests.simulated_host import NoWakeup
from property_tests.world import SimulatedClock
from protocol.clock import Clock
from tests.support.coordinator_parts import NoWatcher

_STARTS = 3  # as a supervisor allows; more starts count as a failure
_PASSES = 10


class SimulatedRestart:
    """Starts on a crash state, serves every request, and stops.

    Args:
        root: holds ``requests/``, ``status/`` and ``state/``.
        components: the parent of the components' directories.
        scenario: the installed components, and what the scripts do.
        record: the scripts' record so far; further runs are appended.
    """

    def __init__(self, root: Path, components: Path, scenario: Scenario, record: list[str]) -> None:
        self._clock = SimulatedClock()
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
        """Serve every request.

        Raises:
            AssertionError: the coordinator does not start, or does not become idle.
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
                    error_seen = error
        finally:
            logger.enable("coordinator")
        raise AssertionError(f"the coordinator does not start: {error_seen}")

    def _build(self, resources: ExitStack) -> Daemon:
        runs = self._settings.paths.state / RUNS
        settings = ExecutorSettings(runs, self._settings.limits.output_bytes)
        return build(
            self._settings,
            resources,
            clock=self._clock,
            executor=_InlineExecutor(settings, self._clock, self._run_script),
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
        raise AssertionError("the coordinator does not become idle")

    def _run_script(self, script_run: ScriptRun, directory: Path) -> None:
        """Do what a worker and its script do; the worker exists as long as this process."""
        (directory / "session").write_text(_claim())
        self._record.append(f"begin {script_run.script} {script_run.request_id}")
        code = self._exit_code(script_run)
        if code is None:
            return
        self._record.append(f"end {script_run.script} {script_run.request_id} {code}")
        with (directory / "session").open("a") as file:
            file.write(f"exit {code}\n")

    def _exit_code(self, script_run: ScriptRun) -> int | None:
        """The script's exit code; None when it runs until it is killed."""
        text = self._scenario.components[script_run.component].scripts.get(script_run.script, "")
        if text == HEALTHY_ONCE_ROLLED_BACK:
            return 0 if any(line.startswith("end rollback.sh") for line in self._record) else 3
        return {FAILS: 3, IGNORES_TERM: None}.get(text, 0)


class _InlineLaunchers(LauncherPool):
    """Runs a script inline instead of handing it to a launcher."""

    def __init__(self, runs_folder: Path, clock: Clock, run_script) -> None:
        super().__init__(runs_folder, clock)
        self._run_script = run_script

    def spawn(self, directory: RunDirectory) -> None:
        """See ``Spawner.spawn``."""
        self._run_script(directory.run, directory.path)


class _InlineExecutor(ScriptExecutor):
    """The real executor, with inline launchers."""

    def __init__(self, settings: ExecutorSettings, clock: Clock, run_script) -> None:
        super().__init__(settings, clock, _InlineLaunchers(settings.runs, clock, run_script))

    def _kill(self, directory: RunDirectory) -> list[int]:
        """Only a worker of this instance still exists; it records how its script ended."""
        claim = directory.claim()
        if claim is not None and is_alive(claim.worker) and directory.exit_code() is None:
            with Path(directory.path, "session").open("a") as file:
                file.write(f"exit {128 + SIGKILL}\n")
        return []


def _claim() -> str:
    """The claim of a worker and its launcher, in the name of this process."""
    own = stat_process(os.getpid())
    assert own is not None
    return f"{own.pid} {own.start_ticks} {own.pid} {own.start_ticks}\n"
