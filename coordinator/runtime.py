"""What the parts of one coordinator process share: clock, running time, stop flags, access to the main loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from loguru import logger

from coordinator.sd_notify import SdNotifier
from coordinator.stop_control import StopControl
from coordinator.wakeup import Wakeup
from fsm.errors import JournalUnavailableError
from fsm.journal import Journal
from protocol.clock import Clock


class RunningTime:
    """Seconds that the coordinator has run with this journal, over all its starts; recorded in the journal.

    Ages and deferrals are counted in it: a wall clock that jumps by decades, as on a Raspberry Pi without a battery,
    does not remove answers or ids too early (I7, I11).
    """

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

    def record(self, *, after_s: float = 0.0) -> None:
        """Write the running time to the journal; while that is unavailable, the seconds are kept in memory.

        Args:
            after_s: do nothing if less time has passed since the last record; a kill loses so many seconds at most.
        """
        with self._lock:
            now = self._clock.monotonic()
            if now - self._recorded_at < after_s:
                return
            try:
                self._journal.add_uptime(now - self._recorded_at)
            except JournalUnavailableError as error:
                logger.warning("cannot record the running time: {}", error)
                return
            self._recorded_s += now - self._recorded_at
            self._recorded_at = now


@dataclass
class Runtime:
    """Clock, identity of the boot, stop flags, and access to the main loop.

    Args:
        clock: the only source of time (I11).
        boot_id: identifies the present boot of the machine.
        running_time: counted with the journal.
        stops: what must end.
        notifier: systemd's watchdog and status.
        wakeup: wakes the main loop.
        mark_suspect: has the next start check the whole journal.
    """

    clock: Clock
    boot_id: str
    running_time: RunningTime
    stops: StopControl
    notifier: SdNotifier
    wakeup: Wakeup
    mark_suspect: Callable[[], None]
    fatal_errors: list[BaseException] = field(default_factory=list)

    def fail(self, error: BaseException) -> None:
        """End the coordinator because of an error after which only a restart helps."""
        self.fatal_errors.append(error)
        self.mark_suspect()
        self.wakeup.notify()
