"""Looks on while a script runs, and decides what of it becomes news, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from coordinator.active_request import ActiveRequest
from coordinator.publisher import Publisher
from executors.interface import ProcessId, ProgressReport
from fsm.records import AttemptRecord
from protocol.clock import Clock

_OUTPUT_PERIOD_S = 1.0  # a folder that is written ten times a second wears an SD card out, and nobody reads that fast


class ProgressReporter:
    """The ``Watch`` over one run: a phase or a percentage is told at once, output alone once per period.

    A period begins with whatever was told last, the start of the script included: a short one is told of as if it were
    silent. What is held back is told when the period is over, if the script still runs; if not, the answer has it.

    Args:
        walk: the request, whose state is told with each piece of news.
        attempt: the run.
        publisher: tells.
        clock: what periods are measured on (I11).
        must_stop: see ``RunObserver.must_stop``.
        may_leave: see ``RunObserver.may_detach``.
    """

    def __init__(
        self,
        walk: ActiveRequest,
        attempt: AttemptRecord,
        publisher: Publisher,
        clock: Clock,
        must_stop: Callable[[], bool],
        may_detach: Callable[[], bool],
    ) -> None:
        self._walk = walk
        self._attempt = attempt
        self._publisher = publisher
        self._clock = clock
        self._told = ProgressReport()
        self._told_at = clock.monotonic()
        self.must_stop = must_stop
        self.may_detach = may_detach

    def started(self, identity: ProcessId) -> None:
        """The session is there: a successor must find it."""
        self._walk.identify(self._attempt, identity)

    def reported(self, report: ProgressReport) -> None:
        """Tell what is new in ``report``, unless it can wait."""
        if report == self._told:
            return
        now = self._clock.monotonic()
        is_urgent = (report.phase, report.percent) != (self._told.phase, self._told.percent)
        if is_urgent or now - self._told_at >= _OUTPUT_PERIOD_S:
            self._told, self._told_at = report, now
            script = self._attempt.script.removesuffix(".sh")
            self._publisher.progress(self._walk.record, self._walk.state, replace(report, phase=report.phase or script))
