"""SQLite file of the container side: opening, migrations, transactions. The only module here that uses ``sqlite3``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock

from loguru import logger

from remote.errors import RemoteError

_PRAGMAS = (
    "busy_timeout = 5000",  # ms; waits for a backup that reads the file
    # A rollback journal, not WAL: SQLite then detects that the file was removed or replaced, and fails to write.
    "journal_mode = DELETE",
    "synchronous = EXTRA",  # also syncs the folder after the journal is deleted; else a power cut undoes the commit
    "cache_size = -1024",  # KiB (I12)
)


class StoreError(RemoteError):
    """The state cannot be read or written: disk full, read-only or gone. The operator fixes it."""


class StateDatabase:
    """One SQLite file; safe to use from several threads.

    Args:
        path: created when missing. A damaged file is renamed to ``*.damaged`` and replaced by a new one.
        migrations: statements by version, append-only; those beyond the file's version are executed.

    Raises:
        StoreError: the file cannot be opened or written.
    """

    def __init__(self, path: Path, migrations: Sequence[Sequence[str]]) -> None:
        self._path = path
        self._lock = RLock()
        with _translated(path):
            try:
                self._connection = _open(path, migrations)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                logger.error("cannot read {}: {}; starting with an empty state", path, error)
                _set_aside(path)
                self._connection = _open(path, migrations)

    def close(self) -> None:
        """Close the file."""
        with self._lock, _translated(self._path):
            self._connection.close()

    def select(self, query: str) -> list[tuple[object, ...]]:
        """All rows of a query, with text as bytes: a row that is not UTF-8 is one bad row, not a bad database.

        Raises:
            StoreError: they cannot be read.
        """
        with self._lock, _translated(self._path):
            return self._connection.execute(query).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, durable when the block is left.

        Raises:
            StoreError: nothing was written.
        """
        with self._lock, _translated(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # on a full disk SQLite may have rolled back already
                    self._connection.execute("ROLLBACK")
                raise


def _open(path: Path, migrations: Sequence[Sequence[str]]) -> sqlite3.Connection:
    # isolation_level=None: transactions begin and end in this module only.
    # check_same_thread=False: the lock serializes the threads.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.text_factory = bytes
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        _migrate(connection, migrations)
        _read_all(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]]) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, statements in enumerate(migrations[version:], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")


def _read_all(connection: sqlite3.Connection) -> None:
    """Raise ``sqlite3.DatabaseError`` for a damaged page now, while the file can still be replaced."""
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for _ in connection.execute(f'SELECT * FROM "{table.decode()}"'):  # noqa: S608  a name of this schema
            pass


def _set_aside(path: Path) -> None:
    """Rename a damaged database for inspection; it replaces an earlier one."""
    path.replace(path.with_name(f"{path.name}.damaged"))
    with suppress(FileNotFoundError):  # it belongs to the damaged file, and would be replayed into the new one
        path.with_name(f"{path.name}-journal").unlink()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StoreError(
            f"cannot use {path}: {reason}; free space on its disk, and make it writable for this user"
        ) from None
