"""One worker per lock: requests of a lane run one after the other, lanes do not wait for each other (I10).

The queue is the journal itself: nothing waits in memory, so nothing is lost with it (I12).
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Mapping

from loguru import logger

from coordinator import texts
from coordinator.runner import Runner
from coordinator.sd_notify import SdNotifier
from coordinator.wakeup import Wakeup
from fsm.errors import JournalDamagedError, JournalUnavailableError
from fsm.journal import Journal
from fsm.records import RequestRecord

_RETRY_S = 5.0


class Lanes:
    """Starts and joins the workers.

    Args:
        lanes: lock → the components that hold it.
        fatal: told of an error after which only a restart helps.
    """

    def __init__(
        self,
        lanes: Mapping[str, frozenset[str]],
        journal: Journal,
        runner: Runner,
        manager: SdNotifier,
        stopping: threading.Event,
        fatal: Callable[[BaseException], None],
    ) -> None:
        self._journal = journal
        self._runner = runner
        self._manager = manager
        self._stopping = stopping
        self._fatal = fatal
        self._bells = {lock: Wakeup() for lock in lanes}
        self._lock_of = {component: lock for lock, components in lanes.items() for component in components}
        self._workers = [
            threading.Thread(target=self._work, args=(lock, components), name=f"lane {lock}")
            for lock, components in lanes.items()
        ]

    def start(self) -> None:
        """Have every lane stand ready; none moves before ``go``.

        Raises:
            OSError: the host has no room for another thread.
        """
        for worker in self._workers:
            try:
                worker.start()
            except RuntimeError as error:
                raise OSError(errno.EAGAIN, f"{error}: {worker.name}") from error

    def go(self) -> None:
        """Let every lane take up what it left, then what is new."""
        for bell in self._bells.values():
            bell.notify()

    def stands(self) -> bool:
        """Whether every lane is there: one that died would leave its requests without an answer."""
        return all(worker.is_alive() for worker in self._workers)

    def wake(self, component: str) -> None:
        """Tell the lane of ``component`` that the journal holds something for it."""
        self._bells[self._lock_of[component]].notify()

    def stop(self) -> None:
        """Wake the workers; the caller has set ``stopping``, and interrupts what runs when its patience ends."""
        self.go()

    def join(self, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` for every worker to be done; tell whether they are."""
        for worker in self._workers:
            if worker.ident is not None:  # else the start went no further
                worker.join(timeout_s)
        return not any(worker.is_alive() for worker in self._workers)

    def _work(self, lock: str, components: frozenset[str]) -> None:
        bell = self._bells[lock]
        bell.wait(None)
        while not self._stopping.is_set():
            try:
                record = self._journal.next_due(components)
                if record is None:
                    bell.wait(None)
                else:
                    self._run(lock, record)
            except JournalDamagedError as error:
                self._fatal(error)
                return
            except (OSError, JournalUnavailableError) as error:  # the host's matter, not a defect: no traceback
                logger.error("cannot go on with lane {}: {}; trying again in {} s", lock, error, _RETRY_S)
                bell.wait(_RETRY_S)
            except Exception as error:  # noqa: BLE001  a lane must outlive whatever one request brings
                logger.opt(exception=error).error("lane {} stumbled; going on in {} s", lock, _RETRY_S)
                bell.wait(_RETRY_S)

    def _run(self, lock: str, record: RequestRecord) -> None:
        self._manager.set_status(lock, f"{texts.asked(record)} ({record.request_id})")
        try:
            self._runner.run(record)
        finally:
            self._manager.clear_status(lock)
