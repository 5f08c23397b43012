"""Notices that something arrived in ``requests/``; only rings a bell, looks at nothing (snapd's habit)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loguru import logger
from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from protocol.names import SUFFIX

# A write arrives as closed, a rename as moved, a rename from elsewhere and a link as created.
_ARRIVALS: list[type[FileSystemEvent]] = [
    FileClosedEvent,
    FileMovedEvent,
    FileCreatedEvent,
    DirCreatedEvent,
    DirMovedEvent,
]


class Watcher(FileSystemEventHandler):
    """Watches one folder, and finds it again when it was away for a while."""

    def __init__(self, directory: Path, wake: Callable[[], None]) -> None:
        self._directory = directory
        self._wake = wake
        self._observer = Observer()
        self._watched: tuple[int, int] | None = None

    def start(self) -> None:
        """Begin to watch; a folder that is not there yet is found by ``renew``."""
        self._observer.start()
        self.renew()

    def renew(self) -> bool:
        """Watch the folder that bears the name now, should it be another than before; tell whether there is one."""
        try:
            found = self._directory.stat()
            present = (found.st_dev, found.st_ino)
            if present != self._watched:
                self._observer.unschedule_all()
                self._observer.schedule(self, str(self._directory), event_filter=_ARRIVALS)
                self._watched = present
                self._wake()
        except OSError as error:
            if self._watched is not None:
                logger.error("cannot watch {}: {}; looking again every few seconds", self._directory, error.strerror)
            self._watched = None
            return False
        return True

    def stop(self) -> None:
        """Stop watching and join the threads."""
        self._observer.stop()
        self._observer.join()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Ring for names that may be requests (wire contract: only ``.json`` counts)."""
        if str(event.src_path).endswith(SUFFIX) or str(event.dest_path).endswith(SUFFIX):
            self._wake()
