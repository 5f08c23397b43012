"""What keeps disks bounded over years: unread statuses, old history, complete logs, leftovers of runs (I12).

Ages are counted in the coordinator's own running time, kept in the journal: a wall clock that jumps by decades, as on
a Raspberry Pi without a battery, neither loses an answer nor forgets an id (I7, I11).
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import datetime
from math import inf
from pathlib import Path

from loguru import logger

from executors.interface import Executor
from fsm.errors import JournalUnavailableError
from fsm.journal import Journal
from protocol.clock import Clock
from protocol.fs import exists, remove_tree
from protocol.outbox import Outbox

PERIOD_S = 3600.0
_DAY_S = 86400.0
_BATCH = 500


class Housekeeping:
    """Done once at start and every ``PERIOD_S`` after."""

    def __init__(
        self,
        journal: Journal,
        outbox: Outbox,
        executor: Executor,
        clock: Clock,
        *,
        runs: Path,
        status_retention_days: float,
        history_days: float,
        logs_bytes: int,
    ) -> None:
        self._journal = journal
        self._outbox = outbox
        self._executor = executor
        self._clock = clock
        self._runs = runs
        self._status_s = status_retention_days * _DAY_S
        self._logs_bytes = logs_bytes
        # An answer that outlived its request in the journal would stand in the way of a later one under the same id.
        self._history_s = max(history_days, status_retention_days) * _DAY_S
        self._counted = clock.monotonic()
        self._due = clock.monotonic()

    def tick(self) -> None:
        """Do the work when it is due."""
        if self._clock.monotonic() >= self._due:
            self._due = self._clock.monotonic() + PERIOD_S
            self.tidy()

    def tidy(self) -> None:
        """Count the time since the last call, then remove what is too old by it."""
        self.count()
        uptime = self._journal.uptime()
        try:
            self._clear_statuses(uptime)
        except OSError as error:
            logger.warning("cannot clear old statuses, so history stays as well: {}", error.strerror)
        else:
            while self._journal.prune(uptime - self._history_s, _BATCH):
                continue
        self._clear_runs()

    def _clear_statuses(self, uptime: float) -> None:
        for entry in self._outbox.finals():
            answered = self._journal.answered_uptime(entry.name.removesuffix(".json"))
            if answered is not None and uptime - answered > self._status_s:
                remove_tree(Path(entry.path))

    def count(self) -> None:
        """Add the running time since the last count to the journal's; while that cannot be reached, it waits here."""
        now = self._clock.monotonic()
        try:
            self._journal.add_uptime(now - self._counted)
        except JournalUnavailableError as error:
            logger.warning("cannot count the running time: {}", error)
            return
        self._counted = now

    def _clear_runs(self) -> None:
        """Remove run folders that a crash left behind, and complete logs that are too old or too much.

        They go with their history; before that the oldest go, until what is left is within the limit. What an
        unsettled request has written is neither removed nor counted.
        """
        if not exists(self._runs):
            return
        settled: list[tuple[float, datetime, Path]] = []
        for folder in list(self._runs.iterdir()):
            record = self._journal.get(folder.name)
            if record is not None and record.settled_at is None:
                continue
            self._executor.cleanup(folder.name)
            if record is None or record.settled_at is None:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                answered = self._journal.answered_uptime(folder.name)  # counted by the hour: the stamp refines it
                settled.append((inf if answered is None else answered, record.settled_at, folder))
        left = self._logs_bytes
        for _, _, folder in sorted(settled, reverse=True):
            left -= _size(folder)
            if left < 0:
                shutil.rmtree(folder, ignore_errors=True)


def _size(folder: Path) -> int:
    total = 0
    for file in folder.glob("*/*"):
        with suppress(FileNotFoundError):  # its lane is just forgetting it
            total += file.stat().st_size
    return total
