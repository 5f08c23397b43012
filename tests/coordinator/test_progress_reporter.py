"""The progress reporter: which reports of a running script are passed on, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from coordinator.progress_reporter import ProgressReporter
from executors.interface import ProgressReport
from fsm.records import AttemptRecord
from protocol.types import State

NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)
TICK_S = 0.125  # a binary fraction, so that ticks add up exactly
TICKS = 8  # in a second


@dataclass
class MonotonicClock:
    """A clock that the test moves; reading the wall clock is an error."""

    now: float = 1000.0

    def monotonic(self):
        return self.now

    def utc(self):
        raise AssertionError("a period is measured on the monotonic clock (I11)")


class Stage:
    """A run of ``update.sh`` that has just begun; ``passed_on`` is what was published of it since."""

    def __init__(self):
        self.passed_on = []
        self.clock = MonotonicClock()
        active = SimpleNamespace(record="the record")
        runtime = SimpleNamespace(clock=self.clock, stops=None)
        attempt = AttemptRecord("one", 1, State.RUNNING, "update.sh", "boot", NOON, self.clock.now)
        self.reporter = ProgressReporter(active, attempt, self, runtime)

    def progressed(self, record, report):
        assert record == "the record"
        self.passed_on.append(report)

    def look(self, report, ticks=1):
        """Report the same for so many ticks."""
        for _ in range(ticks):
            self.clock.now += TICK_S
            self.reporter.reported(report)


@pytest.fixture
def stage():
    """A run that has just begun."""
    return Stage()


def test_reporter_passes_nothing_on_for_a_silent_script(stage):
    """Its start was published, and that is all there is."""
    stage.look(ProgressReport(), ticks=100)
    assert stage.passed_on == []


@pytest.mark.parametrize(
    "changed",
    [ProgressReport(phase="pull"), ProgressReport(percent=0), ProgressReport("pull", 7, "more\n", "and more\n")],
)
def test_reporter_passes_phase_and_percentage_on_at_once(stage, changed):
    """Each change, however quickly they follow each other, with what was written until then; once."""
    stage.look(changed)
    stage.look(changed, ticks=3)
    stage.look(ProgressReport("load", 50, "most\n"))
    assert stage.passed_on == [
        ProgressReport(changed.phase or "update", changed.percent, changed.output, changed.error),
        ProgressReport("load", 50, "most\n"),
    ]


@pytest.mark.parametrize("stream", ["output", "error"])
def test_reporter_holds_output_back_for_a_second(stage, stream):
    """Also after the script's start; then all of it is passed on, once, though nothing more was written."""
    first, second = (ProgressReport(**{stream: text}) for text in ("one\n", "one\ntwo\n"))
    stage.look(first)
    stage.look(second, ticks=TICKS - 2)
    assert stage.passed_on == []
    stage.look(second)
    assert stage.passed_on == [ProgressReport("update", None, second.output, second.error)]
    stage.look(second, ticks=100)
    assert len(stage.passed_on) == 1


def test_reporter_passes_output_on_at_once_after_a_long_silence(stage):
    """The second begins with the last report, not with the output."""
    stage.look(ProgressReport(), ticks=TICKS)
    stage.look(ProgressReport(output="one\n"))
    assert [report.output for report in stage.passed_on] == ["one\n"]


def test_reporter_passes_steady_output_on_once_a_second(stage):
    """All that was written between is part of it."""
    for number in range(10 * TICKS):
        stage.look(ProgressReport(output=f"{number}\n"))
    assert [report.output for report in stage.passed_on] == [f"{TICKS * second - 1}\n" for second in range(1, 11)]


def test_reporter_passes_held_back_output_on_with_a_phase(stage):
    """The next second begins with it."""
    stage.look(ProgressReport(output="one\n"), ticks=TICKS - 1)
    stage.look(ProgressReport("pull", output="one\n"))
    stage.look(ProgressReport("pull", output="one\ntwo\n"), ticks=TICKS - 1)
    assert stage.passed_on == [ProgressReport("pull", output="one\n")]
    stage.look(ProgressReport("pull", output="one\ntwo\n"))
    assert stage.passed_on[1:] == [ProgressReport("pull", output="one\ntwo\n")]
