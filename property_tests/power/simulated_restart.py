"""The coordinator that starts after a power cut, in this process: all of it real but threads, clock and scripts.

Its scripts leave the files that a session leaves, at once; what they would do is read from the story. A share of all
cuts is given to the real daemon and real scripts as well (``real.py``), which must come to the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import SIGKILL
from types import SimpleNamespace
from unittest.mock import patch

from loguru import logger

import executors.registry
from coordinator import app, lanes
from coordinator.daemon import Daemon
from coordinator.settings import Component, Limits, Paths, Settings
from executors.backends.sh import LauncherPool
from executors.interface import ExecutorSettings, ScriptRun
from executors.processes import is_alive, stat_process
from executors.run_directory import RunDirectory
from executors.script_executor import ScriptExecutor
from fsm.errors import FsmError, JournalDamagedError
from property_tests.crash.scenarios import FAILS, HEALTHY_ONCE_ROLLED_BACK, STUBBORN, Scenario
from property_tests.simulated_host import NoBell, NoWatcher
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
        with _quiet(lambda settings, clock: _Theatre(settings, clock, self._play)):
            for _ in range(_STARTS):
                try:
                    with ExitStack() as resources:
                        self._work(app.build(self._settings, self._clock, resources))
                        return
                except JournalDamagedError:
                    app.mark_journal_suspect(self._settings)
                except (FsmError, OSError) as error:
                    trouble = error
        raise AssertionError(f"it does not come up: {trouble}")

    def _work(self, daemon: Daemon) -> None:
        daemon._abandon_unconfigured()
        for _ in range(_PASSES):
            again = daemon._intake.sweep()
            daemon._publisher.publish_pending()
            daemon._housekeeping.tick()
            for components in self._settings.lanes.values():
                while record := daemon._journal.next_due(components):
                    daemon._lanes._runner.run(record)
            if again is None:
                daemon._housekeeping.count()
                return
            self._clock.sleep(again)
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


@contextmanager
def _quiet(create) -> Iterator[None]:
    """One thread, no bells, no log; the executor is the given one."""
    with ExitStack() as patches:
        for patched in (
            patch.object(executors.registry, "load", lambda _name: SimpleNamespace(create=create)),
            patch.object(app, "Watcher", NoWatcher),
            patch.object(app, "Wakeup", NoBell),
            patch.object(lanes, "Wakeup", NoBell),
        ):
            patches.enter_context(patched)
        logger.disable("coordinator")
        patches.callback(logger.enable, "coordinator")
        yield
