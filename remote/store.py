"""Store of the state folder: submitted requests and their answers, event numbers, releases, and the rate limit.

A request is recorded before it is submitted, so that a restart at any instant, such as the one in an update of this
program, finds the record of every request whose answer is due (I1). Every write is one durable transaction (I2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from loguru import logger
from pydantic import ValidationError

from remote.state_database import StateDatabase
from remote.submission import SubmissionRecord

# Numbered by position, append-only and additive: after a rollback an older release reads a newer file.
_MIGRATIONS = (
    (
        "CREATE TABLE requests (request_id TEXT PRIMARY KEY, record TEXT NOT NULL)",
        "CREATE TABLE event_numbers (id INTEGER PRIMARY KEY CHECK (id = 1), reserved_until INTEGER NOT NULL)",
    ),
    (
        "CREATE TABLE releases (component TEXT PRIMARY KEY, answer TEXT NOT NULL)",
        "CREATE TABLE rate_limit (id INTEGER PRIMARY KEY CHECK (id = 1), record TEXT NOT NULL)",
    ),
)
_SAVE_REQUEST = (
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
_SAVE_RATE_LIMIT = (
    "INSERT INTO rate_limit (id, record) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record"
)


class StateStore:
    """The one SQLite file of this program, with the records of requests also in memory; safe to use from threads.

    Args:
        path: the database; created when missing. A damaged file is renamed to ``*.damaged`` and replaced by a new one.
        history: how many answered requests to keep, >= 1; ``prune`` deletes the oldest beyond that.

    Raises:
        StoreError: the file cannot be opened or written.
    """

    def __init__(self, path: Path, history: int) -> None:
        self._history = history
        self._database = StateDatabase(path, _MIGRATIONS)
        rows = self._database.select("SELECT request_id, record FROM requests")
        self._records = _by_age(record for row in rows if (record := _decode(*row)) is not None)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    # -- requests and event numbers ----------------------------------------------------------------------------

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
        with self._database.transaction() as connection:
            connection.execute(_SAVE_REQUEST, (record.request_id, record.model_dump_json()))
        self._records[record.request_id] = record

    def delete(self, request_id: str) -> None:
        """Delete the record of a request that was not submitted, or is too old.

        Raises:
            StoreError: the record is gone from memory, and is read again at the next start.
        """
        self._records.pop(request_id, None)
        with self._database.transaction() as connection:
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
        with self._database.transaction() as connection:
            connection.execute(_RESERVE, (count,))
            (reserved_until,) = connection.execute("SELECT reserved_until FROM event_numbers").fetchone()
        return int(reserved_until)

    def import_records(self, records: Iterable[SubmissionRecord], reserved_until: int) -> None:
        """Import records that are not known yet, and event numbers that are in use, in one transaction.

        Raises:
            StoreError: nothing was imported.
        """
        new = [record for record in records if record.request_id not in self._records]
        with self._database.transaction() as connection:
            for record in new:
                connection.execute(_SAVE_REQUEST, (record.request_id, record.model_dump_json()))
            connection.execute(_RAISE, (reserved_until,))
        self._records = _by_age([*self._records.values(), *new])

    # -- releases and the rate limit: JSON of ``remote.releases``, which validates what it reads -------------------

    def saved_releases(self) -> dict[str, bytes]:
        """The saved answers about releases, by component.

        Raises:
            StoreError: they cannot be read.
        """
        rows = self._database.select("SELECT component, answer FROM releases")
        return {_text(component).decode(errors="replace"): _text(answer) for component, answer in rows}

    def save_releases(self, answers: Mapping[str, str]) -> None:
        """Replace all saved answers about releases.

        Raises:
            StoreError: nothing was written.
        """
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM releases")
            connection.executemany("INSERT INTO releases (component, answer) VALUES (?, ?)", answers.items())

    def saved_rate_limit(self) -> bytes | None:
        """The saved rate limit, None without one.

        Raises:
            StoreError: it cannot be read.
        """
        rows = self._database.select("SELECT record FROM rate_limit")
        return next((_text(record) for (record,) in rows), None)

    def save_rate_limit(self, record: str) -> None:
        """Replace the saved rate limit.

        Raises:
            StoreError: nothing was written.
        """
        with self._database.transaction() as connection:
            connection.execute(_SAVE_RATE_LIMIT, (record,))


def _decode(key: object, content: object) -> SubmissionRecord | None:
    """A row's record; None, logged, when the row does not decode: it stays in the file for inspection."""
    try:
        record = SubmissionRecord.model_validate_json(_text(content))
    except ValidationError:
        record = None
    if record is None or record.request_id.encode() != key:
        logger.warning("cannot read the record of request {!a}: it does not decode; skipped", key)
        return None
    return record


def _text(value: object) -> bytes:
    """The text of a column, which need not be UTF-8; empty for a value of another type."""
    return value if isinstance(value, bytes) else b""


def _by_age(records: Iterable[SubmissionRecord]) -> dict[str, SubmissionRecord]:
    return {record.request_id: record for record in sorted(records, key=lambda record: record.asked_at)}
