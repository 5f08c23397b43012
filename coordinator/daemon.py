"""The main loop: sleep until something rings, then look at everything."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

from loguru import logger

from coordinator.housekeeping import Housekeeping
from coordinator.intake import Intake
from coordinator.lanes import Lanes
from coordinator.publisher import Publisher
from coordinator.sd_notify import SdNotifier
from coordinator.wakeup import Wakeup
from coordinator.watcher import Watcher
from fsm.errors import JournalDamagedError, JournalError
from fsm.journal import Journal
from fsm.machine import RequestMachine
from fsm.transition_table import Event
from protocol.clock import Clock
from protocol.types import Reason, State

_SLOW_S = 120.0  # behind the watcher, should an event ever be missed
_TROUBLE_S = 5.0  # while a folder is full, read-only or gone
_TICK_S = 0.5


class Daemon:
    """A coordinator, ready to run."""

    def __init__(
        self,
        *,
        bell: Wakeup,
        watcher: Watcher,
        intake: Intake,
        publisher: Publisher,
        lanes: Lanes,
        housekeeping: Housekeeping,
        manager: SdNotifier,
        journal: Journal,
        lives: RequestMachine,
        components: frozenset[str],
        clock: Clock,
        stopping: threading.Event,
        must_stop: threading.Event,
        stop_timeout_s: float,
        errors: list[BaseException],
        fatal: Callable[[BaseException], None],
    ) -> None:
        self._bell = bell
        self._watcher = watcher
        self._intake = intake
        self._publisher = publisher
        self._lanes = lanes
        self._housekeeping = housekeeping
        self._manager = manager
        self._journal = journal
        self._lives = lives
        self._components = components
        self._clock = clock
        self._stopping = stopping
        self._must_stop = must_stop
        self._stop_timeout_s = stop_timeout_s
        self._errors = errors
        self._fatal = fatal
        self._signals = 0

    def run(self) -> int:
        """Work until a signal asks to stop; return the exit code.

        Returns:
            0 after SIGTERM or SIGINT; 1 when only a restart helps, which the supervisor gives.
        """
        self._listen()
        self._abandon_unconfigured()
        try:
            self._lanes.start()
            self._watcher.start()
            logger.info("ready: {} component(s)", len(self._components))
            self._manager.ready()  # before anything is taken up: a start that failed has changed nothing
            self._lanes.go()  # no script begins before all of this stands
            while not self._signals and not self._errors:
                self._sleep(self._pass())
        except JournalDamagedError as damage:
            self._fatal(damage)
        finally:
            self._stop()
        for error in self._errors:
            logger.critical("stopping to be started again: {}", error)
        return 1 if self._errors else 0

    def _pass(self) -> float:
        """Look at everything once; return how long to sleep unless the bell rings."""
        present = self._watcher.renew()
        try:
            again = self._intake.sweep() if present else None
            published = self._publisher.publish_pending(self._manager.watchdog)
            self._housekeeping.tick()
        except JournalDamagedError:
            raise
        except (OSError, JournalError) as error:
            logger.error("cannot take requests in: {}; trying again in {} s", error, _TROUBLE_S)
            return _TROUBLE_S
        except Exception as error:  # noqa: BLE001  whatever lies in the folder, the lanes go on
            logger.opt(exception=error).error("cannot take requests in; trying again in {} s", _TROUBLE_S)
            return _TROUBLE_S
        pause = _SLOW_S if self._watcher.is_watching and published else _TROUBLE_S
        return pause if again is None else min(pause, again)

    def _sleep(self, seconds: float) -> None:
        """Wait for the bell, with a sign of life now and then, for as long as every lane stands."""
        deadline = self._clock.monotonic() + seconds
        while self._lanes.stands():
            self._manager.watchdog()
            left = deadline - self._clock.monotonic()
            if left <= 0 or self._bell.wait(min(left, self._manager.interval_s)):
                return
        self._bell.wait(seconds)

    def _abandon_unconfigured(self) -> None:
        """Answer what waits for a component that the configuration no longer has: no lane would ever take it up."""
        for record in self._journal.orphaned(self._components):
            message = f"cannot go on: component {record.component} is no longer configured"
            with self._lives.of(record) as life:
                event = {State.RUNNING: Event.FAIL, State.FAILED: Event.GIVE_UP}.get(record.state, Event.REFUSE)
                life.fire(event, at=self._clock.utc(), reason=Reason.UNKNOWN_COMPONENT, message=message, settles=True)

    def _listen(self) -> None:
        """SIGTERM and SIGINT ask to stop; a second one stops at once."""

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            self._signals += 1
            if self._signals > 1:
                self._must_stop.set()

        signal.set_wakeup_fd(self._bell.signal_fd, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_signal)

    def _stop(self) -> None:
        """Start nothing more; wait for what runs, then interrupt it as I3 says."""
        logger.info("stopping: a script that does not outlive the coordinator has {:g} s", self._stop_timeout_s)
        self._manager.stopping()
        self._stopping.set()
        self._watcher.stop()
        self._lanes.stop()
        deadline = self._clock.monotonic() + self._stop_timeout_s
        while not self._lanes.join(_TICK_S):
            if self._clock.monotonic() >= deadline:
                self._must_stop.set()
        self._housekeeping.count()
        signal.set_wakeup_fd(-1)
        logger.info("stopped")
