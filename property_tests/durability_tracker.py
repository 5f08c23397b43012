"""Durability model of the simulated host: after a power cut only synced data is certain to be on the disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fsm.database import Database
from property_tests.crash_injector import CrashInjector


class DurabilityTracker:
    """Track what is not durable yet, in the journal and in the two shared directories."""

    def __init__(self, requests: Path, status: Path, crash_injector: CrashInjector) -> None:
        self._requests = requests
        self._status = status
        self._crash_injector = crash_injector
        self._connections: dict[Database, list[int]] = {}  # WAL size at the last durable commit and at each later one
        self._dirty: set[tuple[int, int]] = set()  # files with unsynced content
        self._named: set[Path] = set()  # names created in a directory that was not synced since
        self._removed: dict[str, bytes] = {}  # requests removed from a directory that was not synced since

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Intercept every system call that writes, names or syncs: the boundary to the kernel."""
        with ExitStack() as patches:
            for name, call in (
                ("write", self._write(os.write)),
                ("fsync", self._fsync(os.fsync)),
                ("rename", self._rename(os.rename)),
                ("unlink", self._unlink(os.unlink)),
            ):
                patches.enter_context(patch.object(os, name, call))
            yield

    def opened(self, database: Database) -> None:
        """Track the log of a database that was just opened."""
        self._connections[database] = [_size(_log(database.path))]

    def committed(self, database: Database, *, durable: bool) -> None:
        """Track how long the log is after a commit."""
        ends = self._connections[database]
        if durable:
            ends.clear()
        ends.append(_size(_log(database.path)))

    def close(self) -> None:
        """Close the connections of a killed coordinator: a process that has exited holds no locks."""
        for database in self._connections:
            database.close()
        self._connections.clear()

    def settle(self) -> None:
        """Model write-back by the kernel: everything becomes durable."""
        for ends in self._connections.values():
            del ends[:-1]
        self._dirty.clear()
        self._named.clear()
        self._removed.clear()

    def cut(self, kept: int) -> list[str]:
        """Cut the power; up to ``kept`` of the commits made without fsync survive.

        Returns:
            The names of request files whose removal was lost.
        """
        images = [_image(database.path, ends[min(kept, len(ends) - 1)]) for database, ends in self._connections.items()]
        self.close()
        for parts in images:
            for path, content in parts.items():
                path.write_bytes(content) if content is not None else path.unlink(missing_ok=True)
        for path in self._status.glob("*.json"):
            found = path.stat()
            if (found.st_dev, found.st_ino) in self._dirty:
                path.write_bytes(b"")
            elif path in self._named:
                path.unlink()
        back = [name for name in self._removed if not os.path.lexists(self._requests / name)]
        for name in back:
            (self._requests / name).write_bytes(self._removed[name])
        self.settle()
        return back

    def _write(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def write(descriptor: int, data: Any) -> Any:
            done = call(descriptor, data)
            self._dirty.add(_inode(descriptor))
            return done

        return write

    def _fsync(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def fsync(descriptor: int) -> None:
            call(descriptor)
            self._dirty.discard(_inode(descriptor))
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                folder = Path(f"/proc/self/fd/{descriptor}").readlink()
                self._named = {path for path in self._named if path.parent != folder}
                if folder == self._requests:
                    self._removed.clear()

        return fsync

    def _rename(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def rename(source: Any, target: Any, **options: Any) -> None:
            call(source, target, **options)
            self._named.add(Path(target))

        return rename

    def _unlink(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def unlink(path: Any, **options: Any) -> None:
            place = Path(path)
            was = (
                _read_regular_file(place) if place.parent == self._requests and self._crash_injector.is_armed else None
            )
            call(path, **options)
            if was is not None:
                self._removed[place.name] = was

        return unlink


def _log(journal: Path) -> Path:
    return Path(f"{journal}-wal")


def _image(journal: Path, end: int) -> dict[Path, bytes | None]:
    """The journal's files with the write-ahead log truncated to ``end`` bytes."""
    log = _log(journal)
    written = log.read_bytes()[:end] if log.exists() else None
    return {journal: journal.read_bytes(), log: written, Path(f"{journal}-shm"): None}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _inode(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino


def _read_regular_file(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() and not path.is_symlink() and path.stat().st_nlink == 1 else None
