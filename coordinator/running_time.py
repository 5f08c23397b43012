"""Running time: seconds that the coordinator has run with this journal, over all its starts.

Ages and deferrals are counted in it: a wall clock that jumps by decades, as on a Raspberry Pi without a battery,
neither loses an answer nor forgets an id (I7, I11).
"""

from __future__ import annotations

import threading

from loguru import logger

from fsm.errors import JournalUnavailableError
from fsm.journal import Journal
from protocol.clock import Clock


class RunningTime:
    """The running time now, and its record in the journal."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._lock = threading.Lock()
        self._recorded_s = journal.uptime()
        self._recorded_at = clock.monotonic()

    def now_s(self) -> float:
        """The running time in seconds."""
        with self._lock:
            return self._recorded_s + self._clock.monotonic() - self._recorded_at

    def record(self) -> None:
        """Write the running time to the journal; while that is unavailable, the seconds wait here."""
        with self._lock:
            now = self._clock.monotonic()
            try:
                self._journal.add_uptime(now - self._recorded_at)
            except JournalUnavailableError as error:
                logger.warning("cannot record the running time: {}", error)
                return
            self._recorded_s += now - self._recorded_at
            self._recorded_at = now
