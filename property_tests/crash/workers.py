"""Worker processes that run the trials, each with its own machine."""

from __future__ import annotations

import shutil
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from math import inf
from pathlib import Path
from typing import Self

from property_tests.crash.experiment import Experiment
from property_tests.crash.namespace_machine import NamespaceMachine
from property_tests.crash.shell_gates import SHELLS, copy_with_gates
from property_tests.crash.trial import Disruption, Trial, TrialResult
from tests.support.real_host import REPOSITORY

_DIRECTORY_PREFIX = "experiment-"
_ATTEMPTS = 3  # attempts per trial: threads do not always run in the same order


class TrialRunner:
    """Runs the trials of one worker process, one after the other.

    Args:
        folder: parent of its own directory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(dir=folder))
        self._machine = NamespaceMachine(self._folder)
        self._machine.power_on()
        self._count = 0

    def run(self, trial: Trial) -> TrialResult:
        """Run one trial; repeat it if the call to disrupt did not occur."""
        for _ in range(_ATTEMPTS):
            self._count += 1
            place = self._folder / f"{_DIRECTORY_PREFIX}{self._count}"
            result = Experiment(place, self._machine, trial, self._sources(trial)).run()
            if result.violations:
                self._machine.reboot()  # ends what the trial left running
            if result.violations and result.is_invalid:
                result.violations.clear()
                shutil.rmtree(place)
            elif result.violations:
                result.violations.append(f"the trial's directory is kept: {place}")
            if result.violations or result.has_hit:
                break
        return result

    def _sources(self, trial: Trial) -> Path:
        roles = {disruption.role for disruption in trial.disruptions if isinstance(disruption, Disruption)} | set(
            trial.trace.roles if trial.trace else ()
        )
        return copy_with_gates(self._folder) if roles & set(SHELLS) else REPOSITORY


_runner: TrialRunner | None = None


def _set_up(folder: Path) -> None:
    global _runner  # noqa: PLW0603  one per worker process
    _runner = TrialRunner(folder)


def _run_trial(trial: Trial) -> tuple[Trial, TrialResult]:
    assert _runner is not None
    try:
        return trial, _runner.run(trial)
    except Exception:  # noqa: BLE001  one failing trial must not end the others
        return trial, TrialResult(violations=[traceback.format_exc()])


class Workers:
    """A pool of worker processes; only directories of trials with violations are kept.

    Args:
        jobs: number of processes.
    """

    def __init__(self, jobs: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="crash-"))
        self._pool = ProcessPoolExecutor(jobs, initializer=_set_up, initargs=(self._folder,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        if not any(self._folder.glob(f"*/{_DIRECTORY_PREFIX}*")):
            shutil.rmtree(self._folder)

    def run(self, trials: Iterable[Trial], until: float = inf) -> Iterator[tuple[Trial, TrialResult]]:
        """Run all trials; yields each with its result as soon as it is done.

        Args:
            trials: in the order to run.
            until: monotonic time after which no trial starts.
        """
        waiting = [self._pool.submit(_run_trial, trial) for trial in trials]
        for future in as_completed(waiting.copy()):
            if time.monotonic() > until:
                while waiting:  # once: cancelled futures complete as well
                    waiting.pop().cancel()
            if not future.cancelled():
                yield future.result()
