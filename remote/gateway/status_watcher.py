"""Notices that something changed in ``status/``; looks at nothing itself."""

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


class Bell:
    """Rings when something arrives in a folder, or when ``ring`` is called; behind it, a look once a second.

    The folder is where a volume is mounted, which stays the same as long as we live: it need not be found again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rung = asyncio.Event()
        self._inotify: InotifyFD | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to watch; where that fails, the look once a second remains."""
        logging.getLogger("watchdog").setLevel(logging.ERROR)  # a full queue is no loss: one ring is as good as many
        self._loop = asyncio.get_running_loop()
        self._inotify = InotifyFD()
        try:
            self._inotify.start()
            self._inotify.add_callback(os.fsencode(self._folder), _MASK, self, _ID)
        except (OSError, RuntimeError) as error:
            logger.warning("cannot watch {}: {}; looking once a second", self._folder, error)

    def stop(self) -> None:
        """Stop watching and join the thread."""
        if self._inotify is not None and self._inotify.ident is not None:
            self._inotify.stop()
            self._inotify.join()

    def ring(self) -> None:
        """Have ``wait`` return."""
        self._rung.set()

    async def wait(self, *, is_urgent: bool) -> None:
        """Sleep until it rings; when ``is_urgent``, for a second at most."""
        try:
            async with asyncio.timeout(POLL_S if is_urgent else None):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()

    # -- called by watchdog's thread ---------------------------------------------------------------------------

    def on_event(self, _event: InotifyEvent) -> None:
        """Ring."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._rung.set)

    def on_watch_deleted(self, _wd: WatchDescriptor) -> None:
        """The folder is gone: nothing will arrive any more."""

    def on_queue_overflow(self) -> None:
        """Ring: so much arrived that the kernel stopped counting."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._rung.set)
