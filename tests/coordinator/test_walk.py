"""Notes about a running script that the journal has no room for."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.active_request import ActiveRequest
from coordinator.settings import Component
from executors.interface import ProcessId
from fsm.errors import JournalUnavailableError
from fsm.records import AttemptRecord, RequestRecord
from fsm.recovery import RecoveryAction
from protocol.clock import SystemClock
from protocol.types import Action, ProbeResult, State

CLOCK = SystemClock()


class FullJournal:
    """Has no room."""

    def attempts(self, _request_id):
        return [AttemptRecord("one", 1, State.RUNNING, "update.sh", "boot", CLOCK.utc(), CLOCK.monotonic())]

    def identify(self, *_):
        raise JournalUnavailableError("cannot reach the journal: it is full")

    record_recovery = identify


@pytest.fixture
def walk():
    """An update whose first script runs."""
    now = CLOCK.utc()
    record = RequestRecord(
        "one", "core", Action.UPDATE, "1.0.0", now, now, State.RUNNING, None, "", None, 0, None, published=False
    )
    return ActiveRequest(record, None, Component(directory=Path("/opt/core")), FullJournal(), CLOCK, "boot")


def test_a_process_that_cannot_be_noted_is_watched_all_the_same(walk):
    """Its session's own claim tells a successor; an error here would leave its deadline to nobody."""
    walk.identify(walk.open_attempt, ProcessId("boot", 4711, 1))


def test_a_resumption_that_cannot_be_noted_happens_all_the_same(walk):
    """``explain`` will not tell of it; an error here would leave the script found running to nobody."""
    walk.record_recovery(walk.open_attempt, ProbeResult.ALIVE, RecoveryAction.ADOPT)
