"""What the parts of one coordinator process share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from coordinator.running_time import RunningTime
from coordinator.sd_notify import SdNotifier
from coordinator.stop_control import StopControl
from coordinator.wakeup import Wakeup
from protocol.clock import Clock


@dataclass
class Runtime:
    """Clock, identity of the boot, stop flags, and the ways to the main loop.

    Args:
        clock: all time enters here (I11).
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
