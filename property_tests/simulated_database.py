"""The journal's database on the simulated host: commits are effects that a kill prevents and a power cut undoes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fsm.database import Database
from property_tests.crash_injector import CrashInjector
from property_tests.durability_tracker import DurabilityTracker


def simulated_database(crash_injector: CrashInjector, disk: DurabilityTracker) -> type[Database]:
    """The type of database whose commits are reported to both."""

    class SimulatedDatabase(Database):
        def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
            super().__init__(path, connection)
            # Without checkpoints the log only grows and can be truncated at any commit.
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            disk.opened(self)

        @contextmanager
        def transaction(self, *, durable: bool = True) -> Iterator[None]:
            is_outermost = not self._connection.in_transaction
            with super().transaction(durable=durable):
                yield
                if is_outermost:
                    crash_injector.step("commit")
            if is_outermost:
                disk.committed(self, durable=durable)

    return SimulatedDatabase
