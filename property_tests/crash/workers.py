"""Where trials are made: worker processes, each with a machine of its own."""

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
from property_tests.crash.namespace_machine import Machine
from property_tests.crash.shell_gates import SHELLS, with_gates
from property_tests.crash.trial import Blow, Result, Trial
from tests.support.real_host import REPOSITORY

_PLACE = "experiment-"
_MISSES = 3  # tries to hit a call that did not come up, for threads do not always take turns in the same order


class Site:
    """Where one worker process makes its trials, one after the other.

    Args:
        folder: for a folder of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(dir=folder))
        self._machine = Machine(self._folder)
        self._machine.power_on()
        self._count = 0

    def make(self, trial: Trial) -> Result:
        """One trial; where a call did not come up it is made again."""
        for _ in range(_MISSES):
            self._count += 1
            place = self._folder / f"{_PLACE}{self._count}"
            result = Experiment(place, self._machine, trial, self._sources(trial)).run()
            if result.faults:
                self._machine.reboot()  # whatever it left running
            if result.faults and result.is_astray:
                result.faults.clear()
                shutil.rmtree(place)
            elif result.faults:
                result.faults.append(f"all of it is kept in {place}")
            if result.faults or result.has_hit:
                break
        return result

    def _sources(self, trial: Trial) -> Path:
        roles = {blow.role for blow in trial.blows if isinstance(blow, Blow)} | set(
            trial.look.roles if trial.look else ()
        )
        return with_gates(self._folder) if roles & set(SHELLS) else REPOSITORY


_site: Site | None = None


def _set_up(folder: Path) -> None:
    global _site  # noqa: PLW0603  one per worker process
    _site = Site(folder)


def _make(trial: Trial) -> tuple[Trial, Result]:
    assert _site is not None
    try:
        return trial, _site.make(trial)
    except Exception:  # noqa: BLE001  one trial that goes astray must not end all others
        return trial, Result(faults=[traceback.format_exc()])


class Workers:
    """A pool of worker processes; of what they leave on the disk, only trials in which something was wrong stay.

    Args:
        jobs: how many work at a time.
    """

    def __init__(self, jobs: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="crash-"))
        self._pool = ProcessPoolExecutor(jobs, initializer=_set_up, initargs=(self._folder,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        if not any(self._folder.glob(f"*/{_PLACE}*")):
            shutil.rmtree(self._folder)

    def make(self, trials: Iterable[Trial], until: float = inf) -> Iterator[tuple[Trial, Result]]:
        """Make all trials; each comes back with its result as soon as it is done.

        Args:
            trials: what to make, in this order.
            until: when, on the monotonic clock, to begin no more of them.
        """
        waiting = [self._pool.submit(_make, trial) for trial in trials]
        for future in as_completed(waiting.copy()):
            if time.monotonic() > until:
                while waiting:  # once: each of those called off comes by here, too
                    waiting.pop().cancel()
            if not future.cancelled():
                yield future.result()
