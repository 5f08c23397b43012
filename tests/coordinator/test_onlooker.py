"""Which of the things that a running script shows are told, and when."""

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
class HandClock:
    """A clock that the test turns."""

    now: float = 1000.0

    def monotonic(self):
        return self.now

    def utc(self):
        raise AssertionError("a period is measured on the monotonic clock (I11)")


class Stage:
    """A run of ``update.sh`` that has just begun; ``told`` is what was published of it since."""

    def __init__(self):
        self.told = []
        self.clock = HandClock()
        walk = SimpleNamespace(record="the record", state=State.RUNNING)
        attempt = AttemptRecord("one", 1, State.RUNNING, "update.sh", "boot", NOON, self.clock.now)
        self.onlooker = ProgressReporter(walk, attempt, self, self.clock, lambda: False, lambda: False)

    def progress(self, record, state, report):
        assert (record, state) == ("the record", State.RUNNING)
        self.told.append(report)

    def look(self, report, ticks=1):
        """Look at a script that shows ``report`` for so long."""
        for _ in range(ticks):
            self.clock.now += TICK_S
            self.onlooker.reported(report)


@pytest.fixture
def stage():
    """A run that has just begun."""
    return Stage()


def test_of_a_silent_script_nothing_is_told(stage):
    """Its start has been told, and that is all there is."""
    stage.look(ProgressReport(), ticks=100)
    assert stage.told == []


@pytest.mark.parametrize(
    "changed",
    [ProgressReport(phase="pull"), ProgressReport(percent=0), ProgressReport("pull", 7, "more\n", "and more\n")],
)
def test_a_phase_and_a_percentage_are_told_at_once(stage, changed):
    """Each change, however quickly they follow each other, with what was written until then; once."""
    stage.look(changed)
    stage.look(changed, ticks=3)
    stage.look(ProgressReport("load", 50, "most\n"))
    assert stage.told == [
        ProgressReport(changed.phase or "update", changed.percent, changed.output, changed.error),
        ProgressReport("load", 50, "most\n"),
    ]


@pytest.mark.parametrize("stream", ["output", "error"])
def test_output_waits_until_a_second_after_what_was_told_before(stage, stream):
    """Also after the script's start; then all of it is told, once, though nothing was written any more."""
    first, second = (ProgressReport(**{stream: text}) for text in ("one\n", "one\ntwo\n"))
    stage.look(first)
    stage.look(second, ticks=TICKS - 2)
    assert stage.told == []
    stage.look(second)
    assert stage.told == [ProgressReport("update", None, second.output, second.error)]
    stage.look(second, ticks=100)
    assert len(stage.told) == 1


def test_output_after_a_long_silence_is_told_at_once(stage):
    """The second began with what was told last, not with the output."""
    stage.look(ProgressReport(), ticks=TICKS)
    stage.look(ProgressReport(output="one\n"))
    assert [report.output for report in stage.told] == ["one\n"]


def test_a_script_that_never_stops_writing_is_told_of_once_a_second(stage):
    """Whatever was written between is part of it."""
    for number in range(10 * TICKS):
        stage.look(ProgressReport(output=f"{number}\n"))
    assert [report.output for report in stage.told] == [f"{TICKS * second - 1}\n" for second in range(1, 11)]


def test_a_phase_takes_held_back_output_along(stage):
    """The next second begins with it."""
    stage.look(ProgressReport(output="one\n"), ticks=TICKS - 1)
    stage.look(ProgressReport("pull", output="one\n"))
    stage.look(ProgressReport("pull", output="one\ntwo\n"), ticks=TICKS - 1)
    assert stage.told == [ProgressReport("pull", output="one\n")]
    stage.look(ProgressReport("pull", output="one\ntwo\n"))
    assert stage.told[1:] == [ProgressReport("pull", output="one\ntwo\n")]
