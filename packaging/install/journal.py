"""What install.sh needs to know of, and do with, configuration and journal; run by a release's own interpreter.

Usage: journal.py {paths CONFIG | rehearse CONFIG FOLDER | {keep | unchanged | restore} CONFIG KEPT}
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from coordinator.app import JOURNAL
from coordinator.errors import ConfigurationError, UnavailableError
from coordinator.settings import Settings, load_settings
from fsm.errors import FsmError
from fsm.journal import Journal

_HISTORY = ("requests", "transitions", "attempts")  # meta only counts the running time


def main() -> int:
    """Do one thing; 0 when it is done or true, 1 otherwise."""
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
    """Print what the configuration has under [paths]."""
    for key in type(settings.paths).model_fields:
        if (path := getattr(settings.paths, key)) is not None:
            print(key, path)
    return 0


def rehearse(settings: Settings, folder: Path) -> int:
    """Bring a copy of the journal up to this release, and read all of it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        if _copy(settings.paths.state / JOURNAL, folder / JOURNAL):
            with Journal.open(folder / JOURNAL) as journal:
                journal.require_integrity()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def keep(settings: Settings, folder: Path) -> int:
    """Copy the journal of a stopped coordinator, its log folded in."""
    _copy(settings.paths.state / JOURNAL, folder / JOURNAL)
    return 0


def unchanged(settings: Settings, kept: Path) -> int:
    """Whether nothing but a change of schema happened to the journal since it was kept."""
    if not (kept / JOURNAL).exists():
        return 1
    trial = kept / "trial"
    shutil.rmtree(trial, ignore_errors=True)
    trial.mkdir(mode=0o700)
    try:
        _copy(kept / JOURNAL, trial / "before.db")
        _copy(settings.paths.state / JOURNAL, trial / "now.db")
        return 0 if _history(trial / "before.db") == _history(trial / "now.db") else 1
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def restore(settings: Settings, kept: Path) -> int:
    """Put the kept journal in the place of the present one, whole at any instant."""
    path = settings.paths.state / JOURNAL
    if not (kept / JOURNAL).exists():
        return 0
    if path.exists():
        with closing(sqlite3.connect(path)) as present:  # a log left beside the file would be taken for the kept one's
            present.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    fresh = path.with_name(f"{JOURNAL}.restored")
    _copy(kept / JOURNAL, fresh)
    for leftover in ("-wal", "-shm"):
        path.with_name(f"{JOURNAL}{leftover}").unlink(missing_ok=True)
    fresh.replace(path)
    return 0


def _copy(source: Path, target: Path) -> bool:
    """Copy a journal, in use or not, as one file; false when there is none."""
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
        pass  # both in the schema of this release
    with closing(sqlite3.connect(path)) as database:
        return [
            database.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()  # noqa: S608  constants
            for table in _HISTORY
        ]


_COMMANDS = {"paths": paths, "rehearse": rehearse, "keep": keep, "unchanged": unchanged, "restore": restore}

if __name__ == "__main__":
    sys.exit(main())
