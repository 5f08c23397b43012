"""Observes one run for its lane, and decides which reports are published, and when."""

from __future__ import annotations

from dataclasses import replace

from coordinator.active_request import ActiveRequest
from coordinator.observers import RequestObserver
from coordinator.runtime import Runtime
from executors.interface import ProcessId, ProgressReport
from fsm.records import AttemptRecord
from protocol.types import State

_OUTPUT_PERIOD_S = 1.0  # ten writes per second would wear out an SD card, and no reader is that fast


class ProgressReporter:
    """The ``RunObserver`` of one run: a new phase or percentage is passed on at once, output alone once per period.

    A period begins with the last report that was passed on, the start of the script included. Output that is held back
    is passed on when the period is over if the script still runs; otherwise the final status contains it.

    Args:
        active: the request.
        attempt: the run.
        observers: get the reports.
        runtime: clock (I11) and stop flags.
    """

    def __init__(
        self, active: ActiveRequest, attempt: AttemptRecord, observers: RequestObserver, runtime: Runtime
    ) -> None:
        self._active = active
        self._attempt = attempt
        self._observers = observers
        self._clock = runtime.clock
        self._stops = runtime.stops
        self._latest = ProgressReport()
        self._passed_on_at = runtime.clock.monotonic()

    def started(self, process: ProcessId) -> None:
        """Record the worker's process, so that the next coordinator finds it."""
        self._active.identify(self._attempt, process)

    def reported(self, report: ProgressReport) -> None:
        """Pass on what is new in ``report``, unless it can wait."""
        if report == self._latest:
            return
        now = self._clock.monotonic()
        is_urgent = (report.phase, report.percent) != (self._latest.phase, self._latest.percent)
        if is_urgent or now - self._passed_on_at >= _OUTPUT_PERIOD_S:
            self._latest, self._passed_on_at = report, now
            script = self._attempt.script.removesuffix(".sh")
            self._observers.progressed(self._active.record, replace(report, phase=report.phase or script))

    def must_stop(self) -> bool:
        """Whether this run must end now. What restores the previous version ends only with all others (I8)."""
        if self._stops.is_all_interrupted:
            return True
        return self._attempt.state is State.RUNNING and self._stops.is_interrupted(self._active.record.request_id)

    def may_detach(self) -> bool:
        """Whether the coordinator is about to stop, so that it need not wait for a run that outlives it."""
        return self._stops.is_stopping
