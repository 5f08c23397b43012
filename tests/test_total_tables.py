"""Tables over enumerations are total: a new member without its rows fails here, by the name of the table."""

from __future__ import annotations

from itertools import product

import pytest

from coordinator import journal_rebuild, render, texts
from coordinator.commands import explain
from fsm import recovery, script_plan, transition_table
from fsm.recovery import RecoveryAction
from fsm.transition_table import Event
from protocol import diagnostics
from protocol.diagnostics import Severity
from protocol.types import Action, ExitKind, ProbeResult, Reason, State

TABLES = {
    "script_plan.MAIN_SCRIPT": (script_plan.MAIN_SCRIPT, Action),
    "script_plan.UNDO_SCRIPT": (script_plan.UNDO_SCRIPT, Action),
    "script_plan.REASON_OF_EXIT": (script_plan.REASON_OF_EXIT, ExitKind),
    "script_plan.OUTCOME_EVENTS": (script_plan.OUTCOME_EVENTS, State),
    "transition_table.FAILING_EVENT": (transition_table.FAILING_EVENT, State),
    "journal_rebuild.EVENTS_TO": (journal_rebuild.EVENTS_TO, State),
    "render.COLOURS": (render.COLOURS, State),
    "explain.RUN_STAGES": (explain.RUN_STAGES, State),
    "explain.TRANSITION_LINES": (explain.TRANSITION_LINES, Event),
    "texts.SUCCESS": (texts.SUCCESS, Action),
    "texts.REMEDY": (texts.REMEDY, Reason),
    "texts.RECOVERY": (texts.RECOVERY, RecoveryAction),
    "texts.MESSAGES": (texts.MESSAGES, Event),
    "diagnostics.MARKS": (diagnostics.MARKS, Severity),
}


@pytest.mark.parametrize("name", TABLES)
def test_table_has_a_row_for_every_member(name):
    """Exactly the members of its enumeration."""
    table, members = TABLES[name]
    assert set(table) == set(members)


def test_recovery_table_has_a_row_for_every_case():
    """Whatever a probe finds, for scripts that may run twice and for others."""
    assert set(recovery.RECOVERY_TABLE) == set(product(ProbeResult, (False, True)))


def test_every_state_and_event_is_in_the_transition_table():
    """A state that nothing leads to, or an event that never happens, is not one."""
    assert {move.event for move in transition_table.TRANSITIONS} == set(Event)
    assert {move.dest for move in transition_table.TRANSITIONS} | {State.RECEIVED} == set(State)
