"""SQLite store of the state folder: submitted requests with their answers, and the event numbers in use.

A request is recorded before it is submitted, so that a restart at any instant, such as the one in an update of this
program, finds the record of every request whose answer is due (I1). Every write is one durable transaction (I2).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock

from loguru import logger
from pydantic import ValidationError

from remote.errors import RemoteError
from remote.submission import SubmissionRecord

_PRAGMAS = (
    "busy_timeout = 5000",  # ms; waits for a backup that reads the file
    # A rollback journal, not WAL: SQLite then detects that the file was removed or replaced, and fails to write.
    "journal_mode = DELETE",
    "synchronous = EXTRA",  # also syncs the folder after the journal is deleted; else a power cut undoes the commit
    "cache_size = -1024",  # KiB (I12)
)
# Numbered by position, append-only and additive: after a rollback an older release reads a newer file.
_MIGRATIONS = (
    (
        "CREATE TABLE requests (request_id TEXT PRIMARY KEY, record TEXT NOT NULL)",
        "CREATE TABLE event_numbers (id INTEGER PRIMARY KEY CHECK (id = 1), reserved_until INTEGER NOT NULL)",
    ),
)
_SAVE = (
    "INSERT INTO requests (request_id, record) VALUES (?, ?) "
    "ON CONFLICT (request_id) DO UPDATE SET record = excluded.record"
)

_RESERVE = (
    "INSERT INTO event_numbers (id, reserved_until) VALUES (1, ?) "
    "ON CONFLICT (id) DO UPDATE SET reserved_until = reserved_until + excluded.reserved_until"
)
_RAISE = (
    "INSERT INTO event_numbers (id, reserved_until) VALUES (1, ?) "
    "ON CONFLICT (id) DO UPDATE SET reserved_until = max(reserved_until, excluded.reserved_until)"
)


class StoreError(RemoteError):
    """The state cannot be read or written: disk full, read-only or gone. The operator fixes it."""


class StateStore:
    """Records in memory, written through to one SQLite file; safe to use from several threads.

    Args:
        path: the database; created when missing. A damaged file is renamed to ``*.damaged`` and replaced by a new one.
        history: how many answered requests to keep, >= 1; ``prune`` deletes the oldest beyond that.

    Raises:
        StoreError: the file cannot be opened or written.
    """

    def __init__(self, path: Path, history: int) -> None:
        self._path = path
        self._history = history
        self._lock = RLock()
        with _translated(path):
            try:
                self._connection, self._records = _open(path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                logger.error("cannot read {}: {}; starting with an empty state", path, error)
                _set_aside(path)
                self._connection, self._records = _open(path)

    def close(self) -> None:
        """Close the database."""
        with self._lock, _translated(self._path):
            self._connection.close()

    def __iter__(self) -> Iterator[SubmissionRecord]:
        """All records, the oldest first."""
        return iter(list(self._records.values()))

    def get(self, request_id: str) -> SubmissionRecord | None:
        """The record of a request, None when there is none."""
        return self._records.get(request_id)

    def save(self, record: SubmissionRecord) -> None:
        """Insert or replace a record, with its answer and event number in one transaction.

        Raises:
            StoreError: nothing was written.
        """
        with self._transaction() as connection:
            connection.execute(_SAVE, (record.request_id, record.model_dump_json()))
        self._records[record.request_id] = record

    def delete(self, request_id: str) -> None:
        """Delete the record of a request that was not submitted, or is too old.

        Raises:
            StoreError: the record is gone from memory, and comes back with the next start.
        """
        self._records.pop(request_id, None)
        with self._transaction() as connection:
            connection.execute("DELETE FROM requests WHERE request_id = ?", (request_id,))

    def prune(self) -> None:
        """Delete the oldest answered records beyond ``history``.

        Raises:
            StoreError: as ``delete``.
        """
        answered = [record.request_id for record in self if record.answer is not None]
        for request_id in answered[: -self._history]:
            self.delete(request_id)

    def reserve_event_numbers(self, count: int) -> int:
        """Reserve the next ``count`` event numbers, and return the last of them.

        Raises:
            StoreError: none were reserved.
        """
        with self._transaction() as connection:
            connection.execute(_RESERVE, (count,))
            (reserved_until,) = connection.execute("SELECT reserved_until FROM event_numbers").fetchone()
        return int(reserved_until)

    def import_records(self, records: Iterable[SubmissionRecord], reserved_until: int) -> None:
        """Import records that are not known yet, and event numbers that are in use, in one transaction.

        Raises:
            StoreError: nothing was imported.
        """
        new = [record for record in records if record.request_id not in self._records]
        with self._transaction() as connection:
            for record in new:
                connection.execute(_SAVE, (record.request_id, record.model_dump_json()))
            connection.execute(_RAISE, (reserved_until,))
        self._records = _by_age([*self._records.values(), *new])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, durable when the block is left."""
        with self._lock, _translated(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # on a full disk SQLite may have rolled back already
                    self._connection.execute("ROLLBACK")
                raise


def _open(path: Path) -> tuple[sqlite3.Connection, dict[str, SubmissionRecord]]:
    # isolation_level=None: transactions begin and end in this module only.
    # check_same_thread=False: the store's lock serializes the threads.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.text_factory = bytes  # a row that is not UTF-8 is one bad row, not a bad database
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        _migrate(connection)
        rows = connection.execute("SELECT request_id, record FROM requests")
        return connection, _by_age(record for row in rows if (record := _decode(*row)) is not None)
    except BaseException:
        connection.close()
        raise


def _migrate(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, statements in enumerate(_MIGRATIONS[version:], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")


def _decode(key: object, content: object) -> SubmissionRecord | None:
    """A row's record; None, logged, when the row does not decode: it stays in the file for inspection."""
    try:
        record = SubmissionRecord.model_validate_json(content if isinstance(content, bytes) else b"")
    except ValidationError:
        record = None
    if record is None or record.request_id.encode() != key:
        logger.warning("cannot read the record of request {!a}: it does not decode; skipped", key)
        return None
    return record


def _by_age(records: Iterable[SubmissionRecord]) -> dict[str, SubmissionRecord]:
    return {record.request_id: record for record in sorted(records, key=lambda record: record.asked_at)}


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
