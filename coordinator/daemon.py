"""The main loop: sleep until notified, then run intake, pending answers and housekeeping."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from loguru import logger

from coordinator.housekeeping import Housekeeping
from coordinator.intake import Intake
from coordinator.lanes import Lanes
from coordinator.publisher import Publisher
from coordinator.runtime import Runtime
from coordinator.watcher import Watcher
from fsm.errors import JournalDamagedError, JournalError

_Result = TypeVar("_Result")

PERIOD_S = 120.0  # a backup for the watcher, in case an event is missed
_RETRY_S = 5.0  # while a folder is full, read-only or gone
_TICK_S = 0.5


class Daemon:
    """A coordinator, ready to run.

    Args:
        intake: admits or rejects requests.
        publisher: publishes what could not be published before.
        housekeeping: keeps disks bounded.
        lanes: run requests.
        watcher: notices arrivals.
        runtime: wake-up, stop flags, systemd.
        stop_timeout_s: on SIGTERM, how long a running script may take to end.
    """

    def __init__(
        self,
        intake: Intake,
        publisher: Publisher,
        housekeeping: Housekeeping,
        lanes: Lanes,
        watcher: Watcher,
        runtime: Runtime,
        stop_timeout_s: float,
    ) -> None:
        self.lanes = lanes
        self._intake = intake
        self._publisher = publisher
        self._housekeeping = housekeeping
        self._watcher = watcher
        self._runtime = runtime
        self._stop_timeout_s = stop_timeout_s
        self._signals = 0

    def run(self) -> int:
        """Work until a signal asks to stop; return the exit code.

        Returns:
            0 after SIGTERM or SIGINT; 1 when only a restart helps, which the supervisor does.
        """
        runtime = self._runtime
        self._handle_signals()
        try:
            self.lanes.start()
            self._watcher.start()
            logger.info("ready")
            runtime.notifier.ready()  # before any request is taken up: a start that failed has changed nothing
            self.lanes.release()  # no script starts before all parts run
            while not self._signals and not runtime.fatal_errors:
                self._sleep(self.run_once())
        except JournalDamagedError as damage:
            runtime.fail(damage)
        finally:
            self.stop()
        for error in runtime.fatal_errors:
            logger.critical("stopping for a restart: {}", error)
        return 1 if runtime.fatal_errors else 0

    def run_once(self) -> float:
        """Run intake, pending answers and housekeeping, each guarded separately (I16); return how long to sleep.

        Raises:
            JournalDamagedError: only a restart helps.
        """
        if self._watcher.renew():
            was_swept, retry_s = self._guarded("read requests", self._intake.sweep)
        else:
            was_swept, retry_s = False, None
        _, all_published = self._guarded("publish answers", self._publish_pending)
        self._guarded("run housekeeping", self._housekeeping.tick)
        is_quiet = self._watcher.is_watching and was_swept and all_published
        pause = PERIOD_S if is_quiet else _RETRY_S
        return pause if retry_s is None else min(pause, retry_s)

    def _publish_pending(self) -> bool:
        return self._publisher.publish_pending(self._runtime.notifier.watchdog)

    def _guarded(self, what: str, task: Callable[[], _Result]) -> tuple[bool, _Result | None]:
        """Run ``task``; return whether it succeeded, and its result. The next pass retries what failed."""
        try:
            return True, task()
        except JournalDamagedError:
            raise
        except (OSError, JournalError) as error:
            logger.error("cannot {}: {}; trying again in {} s", what, error, _RETRY_S)
        except Exception as error:  # noqa: BLE001  no content of the folders may stop the lanes
            logger.opt(exception=error).error("cannot {}; trying again in {} s", what, _RETRY_S)
        return False, None

    def _sleep(self, seconds: float) -> None:
        """Wait for a notification, pinging the watchdog, as long as every lane is alive."""
        deadline = self._runtime.clock.monotonic() + seconds
        while self.lanes.all_alive():
            self._runtime.notifier.watchdog()
            left = deadline - self._runtime.clock.monotonic()
            if left <= 0 or self._runtime.wakeup.wait(min(left, self._runtime.notifier.interval_s)):
                return
        self._runtime.wakeup.wait(seconds)

    def _handle_signals(self) -> None:
        """SIGTERM and SIGINT ask to stop; a second one interrupts what runs."""

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            self._signals += 1
            self._runtime.stops.stop()
            if self._signals > 1:
                self._runtime.stops.interrupt_all()

        signal.set_wakeup_fd(self._runtime.wakeup.signal_fd, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_signal)

    def stop(self) -> None:
        """Start nothing more; wait for running scripts, then interrupt them as I3 requires."""
        runtime = self._runtime
        logger.info("stopping: a script that cannot outlive the coordinator has {:g} s to end", self._stop_timeout_s)
        runtime.notifier.stopping()
        runtime.stops.stop()
        self._watcher.stop()
        self.lanes.stop()
        deadline = runtime.clock.monotonic() + self._stop_timeout_s
        while not self.lanes.join(_TICK_S):
            if runtime.clock.monotonic() >= deadline:
                runtime.stops.interrupt_all()
        runtime.running_time.record()
        signal.set_wakeup_fd(-1)
        logger.info("stopped")
