"""The progress reporter: which reports of a running script it publishes, and when."""

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
    """A clock that the test advances; reading the wall clock is an error."""

    now: float = 1000.0

    def monotonic(self):
        return self.now

    def utc(self):
        raise AssertionError("a period is measured on the monotonic clock (I11)")


class ReportedRun:
    """A run of ``update.sh`` that has just begun; ``published`` lists the reports that were published since."""

    def __init__(self):
        self.published = []
        self.clock = MonotonicClock()
        active = SimpleNamespace(record="the record")
        runtime = SimpleNamespace(clock=self.clock, stops=None)
        attempt = AttemptRecord("one", 1, State.RUNNING, "update.sh", "boot", NOON, self.clock.now)
        self.reporter = ProgressReporter(active, attempt, self, runtime)

    def progressed(self, record, report):
        assert record == "the record"
        self.published.append(report)

    def feed(self, report, ticks=1):
        """Pass the same report to the reporter at each of ``ticks`` ticks."""
        for _ in range(ticks):
            self.clock.now += TICK_S
            self.reporter.reported(report)


@pytest.fixture
def run():
    """A run that has just begun."""
    return ReportedRun()


def test_reporter_publishes_nothing_for_a_silent_script(run):
    """Only the start of the script was published."""
    run.feed(ProgressReport(), ticks=100)
    assert run.published == []


@pytest.mark.parametrize(
    "changed",
    [ProgressReport(phase="pull"), ProgressReport(percent=0), ProgressReport("pull", 7, "more\n", "and more\n")],
)
def test_reporter_publishes_phase_and_percentage_at_once(run, changed):
    """Each change is published once, with the output so far, however quickly the changes follow each other."""
    run.feed(changed)
    run.feed(changed, ticks=3)
    run.feed(ProgressReport("load", 50, "most\n"))
    assert run.published == [
        ProgressReport(changed.phase or "update", changed.percent, changed.output, changed.error),
        ProgressReport("load", 50, "most\n"),
    ]


@pytest.mark.parametrize("stream", ["output", "error"])
def test_reporter_delays_output_by_a_second(run, stream):
    """This holds after the script's start, too; then all output is published once, though nothing more was written."""
    first, second = (ProgressReport(**{stream: text}) for text in ("one\n", "one\ntwo\n"))
    run.feed(first)
    run.feed(second, ticks=TICKS - 2)
    assert run.published == []
    run.feed(second)
    assert run.published == [ProgressReport("update", None, second.output, second.error)]
    run.feed(second, ticks=100)
    assert len(run.published) == 1


def test_reporter_publishes_output_at_once_after_a_long_silence(run):
    """The second begins with the last report, not with the output."""
    run.feed(ProgressReport(), ticks=TICKS)
    run.feed(ProgressReport(output="one\n"))
    assert [report.output for report in run.published] == ["one\n"]


def test_reporter_publishes_steady_output_once_a_second(run):
    """Each report contains everything that was written since the previous one."""
    for number in range(10 * TICKS):
        run.feed(ProgressReport(output=f"{number}\n"))
    assert [report.output for report in run.published] == [f"{TICKS * second - 1}\n" for second in range(1, 11)]


def test_reporter_publishes_delayed_output_with_a_phase(run):
    """The next second begins with that report."""
    run.feed(ProgressReport(output="one\n"), ticks=TICKS - 1)
    run.feed(ProgressReport("pull", output="one\n"))
    run.feed(ProgressReport("pull", output="one\ntwo\n"), ticks=TICKS - 1)
    assert run.published == [ProgressReport("pull", output="one\n")]
    run.feed(ProgressReport("pull", output="one\ntwo\n"))
    assert run.published[1:] == [ProgressReport("pull", output="one\ntwo\n")]
