"""Lanes: one thread per lock. Requests of a lane run one after the other, lanes do not wait for each other (I10).

The queue is the journal itself: nothing waits in memory, so nothing is lost with it (I12).
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Mapping

from loguru import logger

from coordinator.observers import RequestObserver
from coordinator.runner import Runner
from coordinator.runtime import Runtime
from coordinator.wakeup import Wakeup
from fsm.errors import JournalDamagedError, JournalUnavailableError
from fsm.machine import RequestMachine
from fsm.records import RequestRecord, TransitionFacts
from protocol.types import Reason

MAX_FAILURES = 5  # unexpected errors of one request, counted in the journal; then it is settled (I16)
_RETRY_S = 2.0  # after an unexpected error
_HOST_RETRY_S = 5.0  # while the journal cannot be reached


class Lanes(RequestObserver):
    """Starts and joins the threads; wakes a lane when a request for it is accepted.

    Args:
        lanes: lock → the components that hold it while they run.
        machine: its journal is the queue; it settles what cannot be run.
        runner: runs one request.
        runtime: clock, stop flags, and ``fail`` for an error after which only a restart helps.
        make_wakeup: one for each lane.
    """

    def __init__(
        self,
        lanes: Mapping[str, frozenset[str]],
        machine: RequestMachine,
        runner: Runner,
        runtime: Runtime,
        make_wakeup: Callable[[], Wakeup],
    ) -> None:
        self._lanes = lanes
        self._journal = machine.journal
        self._machine = machine
        self._runner = runner
        self._runtime = runtime
        self._wakeups = {lock: make_wakeup() for lock in lanes}
        self._lock_of = {component: lock for lock, components in lanes.items() for component in components}
        self._blocked: dict[str, set[int]] = {lock: set() for lock in lanes}  # rows that cannot even be settled
        self._workers = [threading.Thread(target=self._work, args=(lock,), name=f"lane {lock}") for lock in lanes]

    def start(self) -> None:
        """Start every thread; none takes up a request before ``release``.

        Raises:
            OSError: the host has no resources for another thread.
        """
        for worker in self._workers:
            try:
                worker.start()
            except RuntimeError as error:
                raise OSError(errno.EAGAIN, f"{error}: {worker.name}") from error

    def release(self) -> None:
        """Have every lane read the journal."""
        for wakeup in self._wakeups.values():
            wakeup.notify()

    def all_alive(self) -> bool:
        """Whether every thread is alive: the requests of one that died would get no answer."""
        return all(worker.is_alive() for worker in self._workers)

    def accepted(self, record: RequestRecord) -> None:
        """Wake the lane of the component."""
        self._wakeups[self._lock_of[record.component or ""]].notify()

    def stop(self) -> None:
        """Wake the threads, so that they see the stop flag."""
        self.release()

    def join(self, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` for each thread to end; return whether all have."""
        for worker in self._workers:
            if worker.ident is not None:  # else it was not started, because an earlier one failed
                worker.join(timeout_s)
        return not any(worker.is_alive() for worker in self._workers)

    def run_next(self, lock: str) -> float | None:
        """Run the next request of one lane, until it is settled or suspended.

        Returns:
            Seconds after which to call this again, 0 for at once; None: when the lane is woken.

        Raises:
            JournalDamagedError: only a restart helps.
            JournalUnavailableError, OSError: the host's fault; the request is not settled.
        """
        components, uptime_s = self._lanes[lock], self._runtime.running_time.now_s()
        record = self._journal.next_due(components, uptime_s=uptime_s, skip=self._blocked[lock])
        if record is None:
            due = self._journal.next_due_uptime(components, uptime_s=uptime_s)
            return None if due is None else due - uptime_s
        try:
            self._runner.run(record)
        except (JournalDamagedError, JournalUnavailableError):
            raise
        except Exception as error:  # noqa: BLE001  one request must not stop those after it (I16)
            return self._count_failure(lock, record, error)
        return 0.0

    def _count_failure(self, lock: str, record: RequestRecord, error: Exception) -> float:
        """Count an unexpected error in the journal; after ``MAX_FAILURES`` settle the request, and continue.

        Raises:
            OSError: it is not known whether the request's script runs; the lane waits until it is (I10).
        """
        what = f"{type(error).__name__}: {error}"
        with logger.contextualize(request_id=record.request_id):
            try:
                count = len(self._journal.failures(record.request_id))
                if count < MAX_FAILURES:
                    count = self._journal.record_failure(record.request_id, self._runtime.clock.utc(), what)
                defect = None if isinstance(error, OSError) else error  # the host's fault needs no traceback
                logger.opt(exception=defect).error("unexpected error {} of {}: {}", count, MAX_FAILURES, what)
                if count < MAX_FAILURES:
                    return _RETRY_S
                self._settle_as_failed(record.request_id, what)
            except (JournalDamagedError, JournalUnavailableError, OSError):
                raise
            except Exception as failure:  # noqa: BLE001  such as a state of a newer release, or an id that is not text
                self._blocked[lock].add(record.row)
                logger.critical(
                    "cannot settle the request after {}; skipping it until the next start: {}", what, failure
                )
        return 0.0

    def _settle_as_failed(self, request_id: str, what: str) -> None:
        record = self._journal.get(request_id)
        if record is None or record.settled_at is not None:
            return
        attempt, remark = self._runner.abandon(record)
        facts = TransitionFacts(
            self._runtime.clock.utc(),
            Reason.INTERNAL_ERROR,
            f"cannot run the request: {what}{remark}; see update-coordinator explain {request_id}",
            finish=attempt,
            settles=True,
        )
        self._runner.settle(self._machine.fail(record, facts))

    def _work(self, lock: str) -> None:
        """A lane's thread. Each retry waits for the host, or is bounded per request by ``run_next``."""
        wakeup, stops = self._wakeups[lock], self._runtime.stops
        wakeup.wait(None)
        while not stops.is_stopping:
            try:
                pause = self.run_next(lock)
            except JournalDamagedError as error:
                self._runtime.fail(error)
                return
            except Exception as error:  # noqa: BLE001  a lane must outlive every error: without it there is no answer
                is_host = isinstance(error, OSError | JournalUnavailableError)
                logger.opt(exception=None if is_host else error).error(
                    "cannot continue with lane {}: {}; trying again in {} s", lock, error, _HOST_RETRY_S
                )
                pause = _HOST_RETRY_S
            if pause != 0:
                wakeup.wait(pause)
