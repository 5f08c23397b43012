"""The active request: journal writes that fail on a full disk, and values that a newer release recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from coordinator.active_request import ActiveRequest
from coordinator.settings import Component
from executors.interface import ProcessId
from fsm.machine import RequestMachine
from fsm.records import AttemptRecord, TransitionFacts
from fsm.recovery import RecoveryAction
from fsm.transition_table import Event
from protocol.clock import SystemClock
from protocol.types import Action, ProbeResult, State, UnknownValue
from tests.support.full_journal import FullJournal

CLOCK = SystemClock()
RUNTIME = SimpleNamespace(clock=CLOCK, boot_id="boot")
COMPONENT = Component(directory=Path("/opt/core"))
ATTEMPT = AttemptRecord("one", 1, State.RUNNING, "update.sh", "boot", CLOCK.utc(), CLOCK.monotonic())


@pytest.fixture
def journal(tmp_path):
    """A journal that can be full, with an update whose first script runs."""
    with FullJournal.open(tmp_path / "journal.db") as journal:
        machine, now = RequestMachine(journal), CLOCK.utc()
        record = journal.insert("one", "core", Action.UPDATE, "1.0.0", now, now)
        record = machine.fire(record, Event.ACCEPT, TransitionFacts(now))
        machine.fire(record, Event.START, TransitionFacts(now, begin=ATTEMPT))
        yield journal


def activate(journal, **changes):
    """The journal's request as an active one, with ``changes`` to its record."""
    return ActiveRequest(replace(journal.get("one"), **changes), COMPONENT, RequestMachine(journal), RUNTIME)


def test_identify_ignores_an_unavailable_journal(journal):
    """The worker's claim identifies the run as well; an error here would leave the script without a deadline."""
    active = activate(journal)
    journal.full = True
    active.identify(active.open_attempt, ProcessId("boot", 4711, 1))


def test_record_recovery_ignores_an_unavailable_journal(journal):
    """``explain`` will not show the recovery; an error here would leave the running script without a deadline."""
    active = activate(journal)
    journal.full = True
    active.record_recovery(active.open_attempt, ProbeResult.ALIVE, RecoveryAction.ADOPT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": UnknownValue("cancel")}, "does not know action 'cancel'"),
        ({"action": None}, "does not know action None"),
    ],
)
def test_active_request_rejects_an_unknown_action(journal, changes, message):
    """The error names the action of a newer release; the lane counts the error and settles the request in the end."""
    with pytest.raises(LookupError, match=message):
        activate(journal, **changes)


def test_active_request_rejects_an_unknown_state(journal):
    """The error names the state of a newer release."""
    with pytest.raises(LookupError, match="does not know state 'paused'"):
        _ = activate(journal, state=UnknownValue("paused")).state
