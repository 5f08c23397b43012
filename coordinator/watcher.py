"""Notices that something arrived in ``requests/``; only rings a bell, looks at nothing (snapd's habit)."""

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
    | InotifyConstants.IN_CREATE  # a link, a folder, a pipe: what is never closed
    | InotifyConstants.IN_MOVE_SELF  # the folder itself goes away
    | InotifyConstants.IN_DELETE_SELF
)
_ID = CallbackId(0)
_SUFFIX = os.fsencode(SUFFIX)


class Watcher:
    """Watches one folder, and finds it again when it was away for a while.

    It hangs on watchdog's reader of inotify itself, not on its observer: that one keeps every event in a queue until
    two more threads have passed it on, and a flood of requests would fill the memory with them (I12, ADR 009).
    """

    def __init__(self, directory: Path, wake: Callable[[], None]) -> None:
        self._directory = directory
        self._wake = wake
        self._inotify: InotifyFD | None = None
        self._watch: WatchDescriptor | None = None
        self._watched: tuple[int, int] | None = None
        self._trouble = ""

    def start(self) -> None:
        """Begin to watch; a folder that is not there yet is found by ``renew``."""
        logging.getLogger("watchdog").setLevel(logging.ERROR)  # a full queue is no loss: one ring is as good as many
        self.renew()

    @property
    def is_watching(self) -> bool:
        """Whether arrivals ring; where they do not, somebody must look now and then."""
        return self._watched is not None

    def renew(self) -> bool:
        """Watch the folder that bears the name now, should it be another than before; tell whether there is one."""
        try:
            found = self._directory.stat()
        except OSError as error:
            self._give_up(error)
            return False
        present = (found.st_dev, found.st_ino)
        if present != self._watched:
            try:
                self._begin()
            except OSError as error:
                self._give_up(error)
                return True
            self._watched, self._trouble = present, ""
            self._wake()
        return True

    def _begin(self) -> None:
        if self._inotify is None:
            self._inotify = InotifyFD()
        if self._inotify.ident is None:
            try:
                self._inotify.start()
            except RuntimeError as error:  # the same one is started later: a new one each time would leak descriptors
                raise OSError(errno.EAGAIN, str(error)) from error
        self._let_go()
        self._watch = self._inotify.add_callback(os.fsencode(self._directory), _MASK, self, _ID)

    def _let_go(self) -> None:
        if self._inotify is not None and self._watch is not None:
            self._inotify.remove_callbacks([(self._watch, _ID)])
        self._watch = None

    def _give_up(self, error: OSError) -> None:
        trouble = error.strerror or str(error)
        if trouble != self._trouble:
            logger.error("cannot watch {}: {}; looking again every few seconds", self._directory, trouble)
        self._watched, self._trouble = None, trouble

    def stop(self) -> None:
        """Stop watching and join the thread."""
        if self._inotify is not None and self._inotify.ident is not None:  # else its start went no further
            self._inotify.stop()
            self._inotify.join()

    # -- called by watchdog's thread ---------------------------------------------------------------------------

    def on_event(self, event: InotifyEvent) -> None:
        """Ring for names that may be requests (wire contract: only ``.json`` counts), and for the folder itself."""
        if not event.name or event.name.endswith(_SUFFIX):
            self._wake()

    def on_watch_deleted(self, _wd: WatchDescriptor) -> None:
        """Ring: the folder is gone, or another took its place."""
        self._wake()

    def on_queue_overflow(self) -> None:
        """Ring: so much arrived that the kernel stopped counting."""
        self._wake()
