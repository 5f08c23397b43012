"""Keeps disks bounded over years: unread statuses, old history, complete logs, leftovers of runs (I12).

Ages are counted in running time, see ``RunningTime``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from math import inf
from pathlib import Path

from loguru import logger

from coordinator.runtime import Runtime
from coordinator.settings import Limits
from executors.interface import Executor
from fsm.errors import JournalDamagedError
from fsm.journal import Journal
from protocol.fs import exists, remove_tree
from protocol.outbox import Outbox

PERIOD_S = 3600.0
_DAY_S = 86400.0
_BATCH = 500  # requests pruned in one transaction, between two pings of the watchdog


class Housekeeping:
    """Runs at start and every ``PERIOD_S`` after; each task and each of its items is guarded separately (I16)."""

    def __init__(
        self, journal: Journal, outbox: Outbox, executor: Executor, runtime: Runtime, limits: Limits, runs: Path
    ) -> None:
        self._journal = journal
        self._outbox = outbox
        self._executor = executor
        self._runtime = runtime
        self._runs = runs
        self._status_s = limits.status_retention_days * _DAY_S
        self._logs_bytes = limits.logs_bytes
        # An answer that outlived its request in the journal would block a later one under the same id.
        self._history_s = max(limits.history_days, limits.status_retention_days) * _DAY_S
        self._due = runtime.clock.monotonic()

    def tick(self) -> None:
        """Run ``run`` when it is due."""
        if self._runtime.clock.monotonic() >= self._due:
            self._due = self._runtime.clock.monotonic() + PERIOD_S
            self.run()

    def run(self) -> None:
        """Record the running time, then remove what is too old by it."""
        self._runtime.running_time.record()
        uptime = self._journal.uptime()
        kept: list[str] = []
        if self._guarded("clear old statuses, so history is kept, too", lambda: self._clear_statuses(uptime, kept)):
            self._guarded("prune history", lambda: self._prune(uptime, kept))
        self._guarded("clear the run directories", self._clear_runs)

    def _guarded(self, what: str, task: Callable[[], None]) -> bool:
        """Run ``task``; return whether it succeeded."""
        try:
            task()
        except JournalDamagedError:
            raise
        except OSError as error:
            logger.warning("cannot {}: {}", what, error.strerror)
        except Exception as error:  # noqa: BLE001  one task must not prevent the others
            logger.opt(exception=error).error("cannot {}", what)
        else:
            return True
        return False

    def _clear_statuses(self, uptime: float, kept: list[str]) -> None:
        """Remove the old answers that no client has deleted; ``kept`` gets the ids of those that cannot be removed."""
        failure: Exception | None = None
        for entry in self._outbox.finals():
            request_id = entry.name.removesuffix(".json")
            answered = self._journal.answered_uptime(request_id)
            if answered is not None and uptime - answered > self._status_s:
                try:
                    remove_tree(Path(entry.path))
                except Exception as error:  # noqa: BLE001  anything may lie here, such as a folder nested too deep
                    failure = error
                    kept.append(request_id)
                self._runtime.notifier.watchdog()
        if failure is not None:
            logger.warning("cannot remove {} old statuses, so their history is kept, too: {}", len(kept), failure)

    def _prune(self, uptime: float, kept: Sequence[str]) -> None:
        while self._journal.prune(uptime - self._history_s, _BATCH, keep=kept):
            self._runtime.notifier.watchdog()

    def _clear_runs(self) -> None:
        """Remove run directories that a crash left behind, and complete logs that are too old or too large.

        Logs are removed with their history; before that the oldest are removed until the rest is within the limit.
        The logs of unsettled requests are neither removed nor counted.
        """
        if not exists(self._runs):
            return
        settled: list[tuple[float, datetime, Path]] = []
        for directory in list(self._runs.iterdir()):
            self._guarded(f"clear {directory}", lambda directory=directory: self._clear_run(directory, settled))  # type: ignore[misc]
            self._runtime.notifier.watchdog()
        left = self._logs_bytes
        for _, _, directory in sorted(settled, reverse=True):
            left -= _size(directory)
            if left < 0:
                self._guarded(f"remove {directory}", lambda directory=directory: shutil.rmtree(directory))  # type: ignore[misc]

    def _clear_run(self, directory: Path, settled: list[tuple[float, datetime, Path]]) -> None:
        record = self._journal.get(directory.name)
        if record is not None and record.settled_at is None:
            return
        self._executor.cleanup(directory.name)
        if record is None or record.settled_at is None:
            shutil.rmtree(directory, ignore_errors=True)
            return
        answered = self._journal.answered_uptime(directory.name)  # coarse: the stamp refines it
        settled.append((inf if answered is None else answered, record.settled_at, directory))


def _size(directory: Path) -> int:
    total = 0
    for file in directory.glob("*/*"):
        with suppress(OSError):  # its lane may be removing it; one that cannot be examined is not counted
            total += file.stat().st_size
    return total
