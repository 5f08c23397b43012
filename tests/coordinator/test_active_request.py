"""The active request: journal writes that fail on a full disk, and values that a newer release recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from coordinator.active_request import ActiveRequest
from coordinator.settings import Component
from executors.interface import ProcessId
from fsm.errors import JournalUnavailableError
from fsm.records import AttemptRecord, RequestRecord
from fsm.recovery import RecoveryAction
from protocol.clock import SystemClock
from protocol.types import Action, ProbeResult, State, UnknownValue

CLOCK = SystemClock()
RUNTIME = SimpleNamespace(clock=CLOCK, boot_id="boot")
COMPONENT = Component(directory=Path("/opt/core"))
RECORD = RequestRecord(
    "one",
    "core",
    Action.UPDATE,
    "1.0.0",
    CLOCK.utc(),
    CLOCK.utc(),
    State.RUNNING,
    None,
    "",
    None,
    0,
    None,
    published=False,
)


class FullJournal:
    """Raises JournalUnavailableError on each write, as on a full disk."""

    def attempts(self, _request_id):
        return [AttemptRecord("one", 1, State.RUNNING, "update.sh", "boot", CLOCK.utc(), CLOCK.monotonic())]

    def identify(self, *_):
        raise JournalUnavailableError("cannot reach the journal: it is full")

    record_recovery = identify


def activate(record=RECORD):
    """An active update whose first script runs."""
    return ActiveRequest(record, COMPONENT, SimpleNamespace(journal=FullJournal()), RUNTIME)


def test_identify_ignores_an_unavailable_journal():
    """The worker's claim identifies the run as well; an error here would leave the script without a deadline."""
    active = activate()
    active.identify(active.open_attempt, ProcessId("boot", 4711, 1))


def test_record_recovery_ignores_an_unavailable_journal():
    """``explain`` will not show the recovery; an error here would leave the running script without a deadline."""
    active = activate()
    active.record_recovery(active.open_attempt, ProbeResult.ALIVE, RecoveryAction.ADOPT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": UnknownValue("cancel")}, "does not know action 'cancel'"),
        ({"action": None}, "does not know action None"),
    ],
)
def test_active_request_rejects_an_unknown_action(changes, message):
    """The error names the action of a newer release; the lane counts the error and settles the request in the end."""
    with pytest.raises(LookupError, match=message):
        activate(replace(RECORD, **changes))


def test_active_request_rejects_an_unknown_state():
    """The error names the state of a newer release."""
    with pytest.raises(LookupError, match="does not know state 'paused'"):
        _ = activate(replace(RECORD, state=UnknownValue("paused"))).state
