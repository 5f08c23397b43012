"""The state folder ``paths.state``: its files, and opening the journal, which may be missing or damaged (I13)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from loguru import logger

from coordinator.errors import ConfigurationError, UnavailableError
from coordinator.settings import Settings
from fsm.database import Database
from fsm.errors import JournalDamagedError, JournalError
from fsm.journal import Journal
from fsm.journal_reader import JournalReader
from protocol.fs import exists, fsync_dir, write_atomic

JOURNAL = "journal.db"
LOCK = "coordinator.lock"
RUNS = "runs"
QUARANTINE = "quarantine"
SUSPECT = "journal.suspect"  # the last run found damage: the next start checks the whole journal
REBUILDING = "journal.rebuilding"  # a new journal is being filled
_BEGUN = b"begun\n"
_PARTS = ("-wal", "-shm", "")  # SQLite's files beside a journal first: left alone, they would be applied to a new one


class StateFolder:
    """The state folder of one coordinator, which holds its instance lock.

    Args:
        path: the folder.
        open_database: opens the journal's file for writing.
    """

    def __init__(self, path: Path, *, open_database: Callable[[Path], Database] = Database.open) -> None:
        self.path = path
        self._open_database = open_database
        self.journal = path / JOURNAL
        self.lock = path / LOCK
        self.runs = path / RUNS
        self.quarantine = path / QUARANTINE
        self._suspect = path / SUSPECT
        self._rebuilding = path / REBUILDING

    def mark_suspect(self) -> None:
        """Have the next start read the whole journal, and replace it if it is damaged."""
        self._suspect.touch()

    def open_journal(self, *, has_worked_here: bool) -> tuple[Journal, bool]:
        """Open the journal.

        The whole file is checked only after a run that found damage: a check costs time that grows with the history.
        Only a journal that is found damaged a second time is replaced.

        Args:
            has_worked_here: whether a coordinator has published here before: then a missing journal is a lost one.

        Returns:
            The journal, and whether it is empty because the old one was lost; then the caller rebuilds it, and
            calls ``mark_rebuilt``.

        Raises:
            JournalDamagedError: found damaged for the first time; ``mark_suspect``, and try again.
            JournalError: it cannot be opened.
            OSError: the folder cannot be read or written.
        """
        lost = exists(self._rebuilding) or (not exists(self.journal) and (has_worked_here or exists(self.runs)))
        if not lost:
            try:
                return self._open_checked(), False
            except JournalDamagedError as error:
                if not exists(self._suspect):
                    raise  # one failed read is no proof
                logger.critical("the journal is damaged: {}", error)
        if exists(self._rebuilding) and self._rebuilding.read_bytes() == _BEGUN:
            self._discard()  # an incomplete rebuild: keeping one per start would fill the disk further
        else:
            write_atomic(self._rebuilding, b"")  # after a crash during the rebuild, old requests must not count as new
            if exists(self.journal):
                logger.critical("the old journal was moved to {}; building a new one", self._set_aside())
            write_atomic(self._rebuilding, _BEGUN)
        self._suspect.unlink(missing_ok=True)
        return Journal(self._open_database(self.journal)), True

    def mark_rebuilt(self) -> None:
        """Record that the new journal is complete."""
        self._rebuilding.unlink()
        fsync_dir(self.path)  # the marker must not reappear and cause the next start to discard this journal

    def _open_checked(self) -> Journal:
        journal = Journal(self._open_database(self.journal))
        try:
            if exists(self._suspect):
                journal.database.require_integrity()
                self._suspect.unlink()
        except JournalDamagedError:
            journal.close()
            raise
        return journal

    def _set_aside(self) -> Path:
        """Rename a damaged journal, and SQLite's files beside it; return its new path."""
        number = 1
        while exists(target := self.journal.with_name(f"{JOURNAL}.damaged-{number}")):
            number += 1
        for suffix in _PARTS:
            part = Path(f"{self.journal}{suffix}")
            if exists(part):
                part.rename(f"{target}{suffix}")
        return target

    def _discard(self) -> None:
        for suffix in _PARTS:
            Path(f"{self.journal}{suffix}").unlink(missing_ok=True)


@contextmanager
def open_for_reading(settings: Settings) -> Iterator[JournalReader]:
    """The journal, read-only, for commands; a running coordinator may be using it.

    Raises:
        ConfigurationError: there is none, or this user may not read it.
        UnavailableError: it cannot be read any more; another try may succeed.
    """
    path = settings.paths.state / JOURNAL
    try:
        journal = JournalReader.open(path)
    except JournalError as error:
        raise ConfigurationError(
            f"cannot read the journal {path}: {error}; run this as root, with the coordinator's --config, after its "
            "first start"
        ) from None
    with journal:
        try:
            yield journal
        except JournalError as error:
            raise UnavailableError(str(error)) from None
