"""Notes about a running script that the journal has no room for."""

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
    """Has no room."""

    def attempts(self, _request_id):
        return [AttemptRecord("one", 1, State.RUNNING, "update.sh", "boot", CLOCK.utc(), CLOCK.monotonic())]

    def identify(self, *_):
        raise JournalUnavailableError("cannot reach the journal: it is full")

    record_recovery = identify


def activate(record=RECORD):
    """An update whose first script runs."""
    return ActiveRequest(record, COMPONENT, SimpleNamespace(journal=FullJournal()), RUNTIME)


def test_identify_goes_on_without_room():
    """The session's own claim identifies it; an error here would leave the script's deadline to no one."""
    active = activate()
    active.identify(active.open_attempt, ProcessId("boot", 4711, 1))


def test_record_recovery_goes_on_without_room():
    """``explain`` will not show it; an error here would leave the script that was found running to no one."""
    active = activate()
    active.record_recovery(active.open_attempt, ProbeResult.ALIVE, RecoveryAction.ADOPT)


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"action": UnknownValue("cancel")}, "no action 'cancel'"), ({"action": None}, "no action None")],
)
def test_an_action_of_a_newer_release_cannot_be_run(changes, what):
    """The error names it; the lane counts it, and settles the request in the end."""
    with pytest.raises(LookupError, match=what):
        activate(replace(RECORD, **changes))


def test_a_state_of_a_newer_release_cannot_be_run():
    """Likewise."""
    with pytest.raises(LookupError, match="no state 'paused'"):
        _ = activate(replace(RECORD, state=UnknownValue("paused"))).state
