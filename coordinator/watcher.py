"""Notices arrivals in ``requests/`` through inotify. It only notifies; the intake reads the folder."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path

from loguru import logger
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

from protocol.names import SUFFIX

_MASK = Mask(
    InotifyConstants.IN_CLOSE_WRITE  # a write
    | InotifyConstants.IN_MOVED_TO  # a rename, from here or elsewhere
    | InotifyConstants.IN_CREATE  # a link, a folder, a pipe: these are never closed
    | InotifyConstants.IN_MOVE_SELF  # the folder itself was moved or removed
    | InotifyConstants.IN_DELETE_SELF
)
_ID = CallbackId(0)
_SUFFIX = os.fsencode(SUFFIX)


class Watcher:
    """Watches one folder, and watches it again when it was missing for a while.

    It uses watchdog's inotify reader, not its observer: the observer queues every event until two more threads have
    passed it on, and a flood of requests would fill the memory with them (I12, ADR 009).
    """

    def __init__(self, directory: Path, wake: Callable[[], None]) -> None:
        self._directory = directory
        self._wake = wake
        self._inotify: InotifyFD | None = None
        self._watch: WatchDescriptor | None = None
        self._watched: tuple[int, int] | None = None
        self._cause = ""

    def start(self) -> None:
        """Begin to watch; ``renew`` finds a folder that does not exist yet."""
        logging.getLogger("watchdog").setLevel(logging.ERROR)  # a full queue loses nothing: notifications coalesce
        self.renew()

    @property
    def is_watching(self) -> bool:
        """Whether arrivals notify; if not, the main loop must poll."""
        return self._watched is not None

    def renew(self) -> bool:
        """Watch the folder that has the name now, if it is another one than before; return whether it exists."""
        try:
            found = self._directory.stat()
        except OSError as error:
            self._on_error(error)
            return False
        present = (found.st_dev, found.st_ino)
        if present != self._watched:
            try:
                self._begin()
            except OSError as error:
                self._on_error(error)
                return True
            self._watched, self._cause = present, ""
            self._wake()
        return True

    def _begin(self) -> None:
        if self._inotify is None:
            self._inotify = InotifyFD()
        if self._inotify.ident is None:
            try:
                self._inotify.start()
            except RuntimeError as error:  # this reader is started again later: new readers would leak descriptors
                raise OSError(errno.EAGAIN, str(error)) from error
        self._unwatch()
        self._watch = self._inotify.add_callback(os.fsencode(self._directory), _MASK, self, _ID)

    def _unwatch(self) -> None:
        if self._inotify is not None and self._watch is not None:
            self._inotify.remove_callbacks([(self._watch, _ID)])
        self._watch = None

    def _on_error(self, error: OSError) -> None:
        cause = error.strerror or str(error)
        if cause != self._cause:
            logger.error("cannot watch {}: {}; trying again every few seconds", self._directory, cause)
        self._watched, self._cause = None, cause

    def stop(self) -> None:
        """Stop watching and join the thread."""
        if self._inotify is not None and self._inotify.ident is not None:  # else it was never started
            self._inotify.stop()
            self._inotify.join()

    # -- called by watchdog's thread ---------------------------------------------------------------------------

    def on_event(self, event: InotifyEvent) -> None:
        """Notify for names that may be requests (wire contract: only ``.json`` counts), and for the folder itself."""
        if not event.name or event.name.endswith(_SUFFIX):
            self._wake()

    def on_watch_deleted(self, _wd: WatchDescriptor) -> None:
        """Notify: the folder was removed or replaced."""
        self._wake()

    def on_queue_overflow(self) -> None:
        """Notify: the kernel dropped events."""
        self._wake()
