"""Configuration and journal operations of install.sh, run by the interpreter of the release that this file belongs to.

Usage: journal.py {paths CONFIG | rehearse CONFIG FOLDER | {keep | unchanged | restore} CONFIG SNAPSHOT}

The command line is an interface between releases: the installer of one release calls the journal.py of another.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from coordinator.errors import ConfigurationError, UnavailableError
from coordinator.settings import Settings, load_settings
from coordinator.state_folder import JOURNAL
from fsm.errors import FsmError
from fsm.journal import Journal

_HISTORY = ("requests", "transitions", "attempts")  # without meta, which only counts the running time


def main() -> int:
    """Run one command; 0 when it succeeds or its condition is true, 1 otherwise."""
    name, config, *rest = sys.argv[1:]
    try:
        settings = load_settings(Path(config))
        return _COMMANDS[name](settings, *map(Path, rest))
    except (ConfigurationError, UnavailableError, FsmError) as error:
        print(error, file=sys.stderr)
    except (OSError, sqlite3.Error) as error:
        print(f"cannot copy the journal: {error}; check space and permissions", file=sys.stderr)
    return 1


def paths(settings: Settings) -> int:
    """Print each configured path of [paths] with its key."""
    for key in type(settings.paths).model_fields:
        if (path := getattr(settings.paths, key)) is not None:
            print(key, path)
    return 0


def preflight_migration(settings: Settings, folder: Path) -> int:
    """Migrate a copy of the journal to this release's schema and check its integrity."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        if _copy(settings.paths.state / JOURNAL, folder / JOURNAL):
            with Journal.open(folder / JOURNAL) as journal:
                journal.database.require_integrity()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def take_snapshot(settings: Settings, folder: Path) -> int:
    """Copy the journal of a stopped coordinator, including its write-ahead log."""
    _copy(settings.paths.state / JOURNAL, folder / JOURNAL)
    return 0


def is_unchanged(settings: Settings, snapshot: Path) -> int:
    """Whether only the schema of the journal has changed since the snapshot; 0 means yes."""
    if not (snapshot / JOURNAL).exists():
        return 1
    trial = snapshot / "trial"
    shutil.rmtree(trial, ignore_errors=True)
    trial.mkdir(mode=0o700)
    try:
        _copy(snapshot / JOURNAL, trial / "before.db")
        _copy(settings.paths.state / JOURNAL, trial / "now.db")
        return 0 if _history(trial / "before.db") == _history(trial / "now.db") else 1
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def restore(settings: Settings, snapshot: Path) -> int:
    """Replace the journal with the snapshot, atomically."""
    path = settings.paths.state / JOURNAL
    if not (snapshot / JOURNAL).exists():
        return 0
    if path.exists():
        with closing(sqlite3.connect(path)) as present:  # SQLite would apply a remaining log to the snapshot
            present.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    fresh = path.with_name(f"{JOURNAL}.restored")
    _copy(snapshot / JOURNAL, fresh)
    for leftover in ("-wal", "-shm"):
        path.with_name(f"{JOURNAL}{leftover}").unlink(missing_ok=True)
    fresh.replace(path)
    return 0


def _copy(source: Path, target: Path) -> bool:
    """Copy a journal, in use or not, as one file; False when there is none."""
    if not source.exists():
        return False
    target.unlink(missing_ok=True)
    uri = f"{source.as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=30)) as old, closing(sqlite3.connect(target)) as new:
        new.execute("PRAGMA synchronous = FULL")
        old.backup(new)
    target.chmod(0o600)
    return True


def _history(path: Path) -> list[list[tuple[object, ...]]]:
    with Journal.open(path):
        pass  # opening migrates it to the schema of this release
    with closing(sqlite3.connect(path)) as database:
        return [
            database.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()  # noqa: S608  constants
            for table in _HISTORY
        ]


_COMMANDS = {
    "paths": paths,
    "rehearse": preflight_migration,
    "keep": take_snapshot,
    "unchanged": is_unchanged,
    "restore": restore,
}

if __name__ == "__main__":
    sys.exit(main())
