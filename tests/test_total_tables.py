"""Tables over enumerations are total: a member without a row fails here, with the name of the table."""

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
    """The keys of the table are exactly the members of its enumeration."""
    table, members = TABLES[name]
    assert set(table) == set(members)


def test_recovery_table_has_a_row_for_every_case():
    """The recovery table covers every probe result, for scripts that may run twice and for others."""
    assert set(recovery.RECOVERY_TABLE) == set(product(ProbeResult, (False, True)))


def test_transition_table_contains_every_state_and_event():
    """Every state except received is the target of a transition, and every event causes one."""
    assert {transition.event for transition in transition_table.TRANSITIONS} == set(Event)
    assert {transition.dest for transition in transition_table.TRANSITIONS} | {State.RECEIVED} == set(State)
