"""The SQLite file of the journal: opening, transactions, errors. Only this module executes SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import methodcaller
from pathlib import Path
from threading import RLock
from typing import Any, Self

from fsm.errors import (
    JournalDamagedError,
    JournalError,
    JournalRefusedError,
    JournalTooNewError,
    JournalUnavailableError,
)
from fsm.schema import migrations, statements
from fsm.transition_table import TRANSITIONS
from protocol.fs import exists

Row = sqlite3.Row
_Values = Sequence[Any] | Mapping[str, Any]

_PRAGMAS = (
    "busy_timeout = 5000",  # ms; waits for a command that reads or checkpoints at the same moment
    "foreign_keys = ON",  # off by default; transitions must refer to a known request and a row of ``moves``
    "recursive_triggers = ON",  # else the deletion inside a REPLACE bypasses the triggers that forbid it (I4)
    "cache_size = -1024",  # KiB; small hosts, few rows at a time (I12)
)
_WRITER_PRAGMAS = (
    "journal_mode = WAL",  # commands read while the daemon writes, and a commit is a single fsync
    "synchronous = FULL",  # in WAL, NORMAL would lose the last commits at a power cut; I2 needs each one
    "wal_autocheckpoint = 1000",  # pages, 4 MB: checkpoints the log before it grows (I12)
    "journal_size_limit = 4194304",  # bytes; truncates the log after one large transaction (I12)
)
# Begin, commit, roll back: of a transaction of its own, and of a part of one.
_OWN = ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
_JOINED = ("SAVEPOINT joined", "RELEASE joined", "ROLLBACK TO joined")
_CLOSED = "closed database"  # this error has no code; a lane may still run while the coordinator ends
# SQLite's codes for conditions of the host, which may pass. All others are defects of a statement or of a row.
_HOST_CODES = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_SCHEMA,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_AUTH,
    }
)


class Database:
    """One SQLite file and one connection, which all threads of the process share behind one lock."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = RLock()

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """Open the journal at ``path``; a writer creates it and brings its schema up to date.

        The cost does not depend on the number of requests in the journal.

        Raises:
            JournalDamagedError: the file is not a database, or a broken one.
            JournalTooNewError: a later release wrote it.
            JournalUnavailableError: it cannot be opened, or a reader found none with the present schema.
        """
        uri = path.absolute().as_uri()
        with _translated(path):
            if not read_only:
                return cls._connect(path, f"{uri}?mode=rwc", writer=True)
            try:
                return cls._connect(path, f"{uri}?mode=ro", writer=False)
            except sqlite3.OperationalError:
                # A reader that may not write the folder cannot create the log's index. Without a log no daemon runs, so
                # the file does not change while it is read.
                if not exists(path) or exists(path.with_name(f"{path.name}-wal")):
                    raise
                return cls._connect(path, f"{uri}?mode=ro&immutable=1", writer=False)

    @classmethod
    def _connect(cls, path: Path, uri: str, *, writer: bool) -> Self:
        # isolation_level=None: transactions begin and end only where this module says.
        # check_same_thread=False: the lock of this class serializes the threads.
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            # One row must not stop the others: bytes that are not UTF-8 are replaced (I16).
            connection.text_factory = methodcaller("decode", "utf-8", "replace")
            for pragma in _PRAGMAS + (_WRITER_PRAGMAS if writer else ()):
                connection.execute(f"PRAGMA {pragma}")
            self = cls(path, connection)
            self._migrate(writer=writer)
            if writer:
                self._require_writable()
        except BaseException:
            connection.close()
            raise
        return self

    def _require_writable(self) -> None:
        """Write an unchanged value and roll it back, so that a read-only database fails here.

        SQLite silently opens read-only what it may not open for writing. A disk that was read-only for a moment would
        leave a daemon that can never record anything again; a daemon that ends is restarted.
        """
        self._connection.execute("BEGIN IMMEDIATE")  # granted to a reader, too: only a write fails
        try:
            self._connection.execute(f"PRAGMA user_version = {self._version()}")
        finally:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Checkpoint the log and close the file."""
        with self._lock, _translated(self.path):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """All or nothing, committed when the block is left; inside another transaction, part of that one.

        Args:
            durable: survive a power cut. False saves the fsync, for facts that count only within this boot or are
                found again after it.
        """
        with self._lock:
            is_joined = self._connection.in_transaction
            begin, commit, undo = _JOINED if is_joined else _OWN
            is_lazy = not durable and not is_joined
            if is_lazy:
                self._execute("PRAGMA synchronous = NORMAL")
            try:
                self._execute(begin)
                try:
                    yield
                    self._execute(commit)
                except BaseException:
                    if self._connection.in_transaction:  # SQLite itself rolls back on a full disk
                        self._execute(undo)
                    raise
            finally:
                if is_lazy:
                    self._execute("PRAGMA synchronous = FULL")

    def read(self, sql: str, values: _Values = ()) -> list[Row]:
        """All rows that ``sql`` returns."""
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise _translation(self.path, error) from error

    def write(self, sql: str, values: _Values = ()) -> int:
        """Run ``sql`` within the caller's transaction; return the number of rows it changed."""
        with self._lock:
            return self._execute(sql, values).rowcount

    def _execute(self, sql: str, values: _Values = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise _translation(self.path, error) from error

    def integrity(self) -> list[str]:
        """What SQLite's check reports, empty when the file is sound. Reads the whole file."""
        found = [str(row[0]) for row in self.read("PRAGMA quick_check")]
        return [] if found == ["ok"] else found

    def require_integrity(self) -> None:
        """Read and check the whole file.

        Raises:
            JournalDamagedError: it is damaged.
        """
        if found := self.integrity():
            raise JournalDamagedError(f"cannot trust the journal {self.path}: {found[0]}; move the file away")

    def _migrate(self, *, writer: bool) -> None:
        """Migrate the schema and the table ``moves`` to this release, or raise."""
        scripts = migrations()
        version = self._version()
        if version > len(scripts):
            raise JournalTooNewError(
                f"cannot use the journal {self.path}: its schema is version {version} and this release knows "
                f"{len(scripts)}; install the release that wrote it, or a later one"
            )
        if not writer:
            if version < len(scripts):
                raise JournalUnavailableError(
                    f"cannot read the journal {self.path}: its schema is version {version}, not {len(scripts)}; "
                    "start the coordinator once: it migrates the journal"
                )
            return
        for number in range(version + 1, len(scripts) + 1):
            with self.transaction():
                if self._version() < number:  # another process may have done it meanwhile
                    for statement in statements(scripts[number - 1]):
                        self._connection.execute(statement)
                    self._connection.execute(f"PRAGMA user_version = {number}")
        self._synchronize_moves()

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _synchronize_moves(self) -> None:
        """Make exactly the transitions of this release legal; usually they are, and nothing is written."""
        legal = {(each.event.value, each.source.value, each.dest.value) for each in TRANSITIONS}
        if {tuple(row) for row in self.read("SELECT event, source, dest FROM moves WHERE legal = 1")} == legal:
            return
        with self.transaction():
            self._connection.execute("UPDATE moves SET legal = 0")
            self._connection.executemany(
                "INSERT INTO moves (event, source, dest) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET legal = 1", legal
            )


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as this package's errors."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translation(path, error) from error


def _translation(path: Path, error: sqlite3.Error) -> JournalError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the low byte; the rest is detail
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return JournalDamagedError(
            f"cannot use the journal {path}: {error}; move the file and its -wal away: a new one is created then"
        )
    if code == sqlite3.SQLITE_CONSTRAINT:
        return JournalRefusedError(f"cannot write this to the journal {path}: {error}; please report this defect")
    if code in _HOST_CODES or _CLOSED in str(error):
        return JournalUnavailableError(
            f"cannot reach the journal {path}: {error}; check that it exists, its permissions and the space on its disk"
        )
    return JournalRefusedError(f"cannot execute this on the journal {path}: {error}; please report this defect")
