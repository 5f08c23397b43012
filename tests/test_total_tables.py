"""Tables over enumerations are total: a member without a row fails here, with the name of the table."""

from __future__ import annotations

import re
from importlib import resources
from itertools import product

import pytest

from coordinator import journal_rebuild, render, texts
from coordinator.commands import diagram, explain
from fsm import journal_reader, recovery, schema, script_plan, transition_table
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
    "texts.EXITS": (texts.EXITS, ExitKind),
    "texts.RECOVERY": (texts.RECOVERY, RecoveryAction),
    "texts.MESSAGES": (texts.MESSAGES, Event),
    "diagnostics.MARKS": (diagnostics.MARKS, Severity),
}


@pytest.mark.parametrize("name", TABLES)
def test_table_has_a_row_for_every_member(name):
    """The keys of the table are exactly the members of its enumeration."""
    table, members = TABLES[name]
    assert set(table) == set(members)


def test_scripts_run_exactly_in_the_states_with_outcome_events():
    """``scripts_for`` and the table agree; so do the states that the journal's queries name as begun."""
    policy = script_plan.ScriptPolicy(verify_health=True, rollback=True, rerun=False)
    with_scripts = {state for state in State if any(script_plan.scripts_for(state, each, policy) for each in Action)}
    assert with_scripts == {state for state, events in script_plan.OUTCOME_EVENTS.items() if events is not None}
    named = "', '".join(sorted(with_scripts, reverse=True))
    initial = (resources.files("fsm") / "migrations" / schema.MIGRATIONS[0]).read_text(encoding="utf-8")
    for sql in (initial, journal_reader.NEXT_DUE):
        assert f"state IN ('{named}')" in sql


def test_terminal_states_are_those_of_the_journal():
    """A settled request is in a state in which the journal accepts a settling."""
    initial = (resources.files("fsm") / "migrations" / schema.MIGRATIONS[0]).read_text(encoding="utf-8")
    (named,) = re.findall(r"settled_at IS NULL OR state IN \(([^)]*)\)", initial)
    assert set(re.findall(r"'(\w+)'", named)) == set(diagram.TERMINAL)
    assert {state for state, events in journal_rebuild.EVENTS_TO.items() if events} == {*re.findall(r"'(\w+)'", named)}


def test_migrations_are_listed_in_order():
    """Each file in the folder is listed once, and the numbers are consecutive."""
    files = sorted(path.name for path in (resources.files("fsm") / "migrations").iterdir() if path.name[0].isdigit())
    assert list(schema.MIGRATIONS) == files
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))


def test_recovery_table_has_a_row_for_every_case():
    """The recovery table covers every probe result, for scripts that may run twice and for others."""
    assert set(recovery.RECOVERY_TABLE) == set(product(ProbeResult, (False, True)))


def test_transition_table_contains_every_state_and_event():
    """Every state except received is the target of a transition, and every event causes one."""
    assert {transition.event for transition in transition_table.TRANSITIONS} == set(Event)
    assert {transition.dest for transition in transition_table.TRANSITIONS} | {State.RECEIVED} == set(State)
