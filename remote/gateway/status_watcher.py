"""Status watcher: wakes the gateway when ``status/`` changes; reads nothing itself."""

from __future__ import annotations

import asyncio
import logging
import os
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

POLL_S = 1.0
_MASK = Mask(InotifyConstants.IN_MOVED_TO)  # the coordinator renames into place
_ID = CallbackId(0)


class StatusWatcher:
    """Wakes on an inotify event in a folder and on ``notify``; as a backup, urgent waits end after a second.

    The folder is a mount point that does not change while the container runs: it is opened once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changed = asyncio.Event()
        self._inotify: InotifyFD | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start watching; if inotify fails, the gateway only polls."""
        logging.getLogger("watchdog").setLevel(logging.ERROR)  # a full queue loses nothing: wake-ups coalesce
        self._loop = asyncio.get_running_loop()
        self._inotify = InotifyFD()
        try:
            self._inotify.start()
            self._inotify.add_callback(os.fsencode(self._folder), _MASK, self, _ID)
        except (OSError, RuntimeError) as error:
            logger.warning("cannot watch {}: {}; polling once a second", self._folder, error)

    def stop(self) -> None:
        """Stop watching and join the thread."""
        if self._inotify is not None and self._inotify.ident is not None:
            self._inotify.stop()
            self._inotify.join()

    def notify(self) -> None:
        """Wake ``wait``; from the event loop's thread only."""
        self._changed.set()

    async def wait(self, *, is_urgent: bool) -> None:
        """Wait for a wake-up; when ``is_urgent``, for ``POLL_S`` at most."""
        try:
            async with asyncio.timeout(POLL_S if is_urgent else None):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    # -- called by watchdog's thread ---------------------------------------------------------------------------

    def on_event(self, _event: InotifyEvent) -> None:
        """Wake ``wait``."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    def on_watch_deleted(self, _wd: WatchDescriptor) -> None:
        """The folder was removed: no more events will come."""

    def on_queue_overflow(self) -> None:
        """Wake ``wait``: the kernel dropped events."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)
