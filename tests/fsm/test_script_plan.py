"""The script plan: the next script, and the decision that follows from the end of one."""

from __future__ import annotations

import pytest
from journal_writer import NOON, JournalWriter

from fsm import script_plan
from fsm.records import RequestRecord
from fsm.recovery import RecoveryAction, recovery_action
from fsm.script_plan import Decision, ScriptPolicy
from fsm.transition_table import Event
from protocol.types import Action, ExitKind, ProbeResult, Reason, State

FULL = ScriptPolicy(verify_health=True, rollback=True, rerun=False)
BARE = ScriptPolicy(verify_health=False, rollback=False, rerun=True)
attempt = JournalWriter.attempt


def record(state, action):
    """A request in that state."""
    return RequestRecord("a", "remote", action, "1", NOON, NOON, state, None, "", None, 0, None, published=False)


def ok(script, state=State.RUNNING):
    """An attempt that exited with 0."""
    return attempt(None, "a", 1, state, script, ExitKind.EXITED, 0)


def bad(ending=ExitKind.EXITED):
    """An attempt of update.sh that failed."""
    return attempt(None, "a", 1, State.RUNNING, "update.sh", ending, 1)


@pytest.mark.parametrize(
    ("state", "action", "attempts", "policy", "expected"),
    [
        (State.VALIDATED, Action.UPDATE, [], FULL, "update.sh"),
        (State.RUNNING, Action.UPDATE, [ok("update.sh")], FULL, "health-check.sh"),
        (State.RUNNING, Action.UPDATE, [ok("update.sh"), ok("health-check.sh")], FULL, None),
        (State.RUNNING, Action.UPDATE, [ok("update.sh")], BARE, None),
        (State.RUNNING, Action.UPDATE, [bad(ExitKind.INTERRUPTED)], BARE, "update.sh"),
        (State.RUNNING, Action.ROLLBACK, [], FULL, "rollback.sh"),
        (State.RUNNING, Action.ROLLBACK, [ok("rollback.sh")], FULL, "health-check.sh"),
        (State.RUNNING, Action.HEALTH, [], FULL, "health-check.sh"),
        (State.RUNNING, Action.HEALTH, [ok("health-check.sh")], FULL, None),
        (State.FAILED, Action.UPDATE, [bad()], FULL, "rollback.sh"),
        (State.FAILED, Action.UPDATE, [bad(), ok("rollback.sh", State.FAILED)], FULL, "health-check.sh"),
        (State.FAILED, Action.UPDATE, [bad()], BARE, None),
        (State.FAILED, Action.UPDATE, [bad(None)], FULL, "rollback.sh"),
        (State.FAILED, Action.UPDATE, [bad(ExitKind.NOT_STARTED)], FULL, None),
        (State.FAILED, Action.UPDATE, [], FULL, None),
        (State.FAILED, Action.ROLLBACK, [bad()], FULL, None),
        (State.FAILED, None, [], FULL, None),
        (State.SUCCEEDED, Action.UPDATE, [ok("update.sh")], FULL, None),
        (State.ROLLED_BACK, Action.UPDATE, [bad()], FULL, None),
    ],
)
def test_next_script_follows_the_plan(state, action, attempts, policy, expected):
    """The state, the action, the attempts so far and the script policy give the next script."""
    assert script_plan.next_script(record(state, action), attempts, policy) == expected


@pytest.mark.parametrize(
    ("state", "script", "ending", "code", "last", "event", "reason"),
    [
        (State.RUNNING, "update.sh", ExitKind.EXITED, 0, False, None, None),
        (State.RUNNING, "update.sh", ExitKind.EXITED, 0, True, Event.SUCCEED, None),
        (State.RUNNING, "update.sh", ExitKind.EXITED, 1, False, Event.FAIL, Reason.SCRIPT_FAILED),
        (State.RUNNING, "health-check.sh", ExitKind.EXITED, 1, True, Event.FAIL, Reason.UNHEALTHY),
        (State.RUNNING, "health-check.sh", ExitKind.TIMED_OUT, 143, True, Event.FAIL, Reason.TIMEOUT),
        (State.RUNNING, "update.sh", ExitKind.TIMED_OUT, 0, False, Event.FAIL, Reason.TIMEOUT),
        (State.RUNNING, "update.sh", ExitKind.INTERRUPTED, None, False, Event.FAIL, Reason.INTERRUPTED),
        (State.RUNNING, "update.sh", ExitKind.NOT_STARTED, None, False, Event.FAIL, Reason.CANNOT_START),
        (State.FAILED, "rollback.sh", ExitKind.EXITED, 0, False, None, None),
        (State.FAILED, "health-check.sh", ExitKind.EXITED, 0, True, Event.ROLL_BACK, None),
        (State.FAILED, "health-check.sh", ExitKind.EXITED, 1, True, Event.GIVE_UP, Reason.ROLLBACK_FAILED),
        (State.FAILED, "rollback.sh", ExitKind.TIMED_OUT, None, False, Event.GIVE_UP, Reason.ROLLBACK_FAILED),
    ],
)
def test_classify_exit_returns_one_event_and_one_reason(state, script, ending, code, last, event, reason):
    """The way in which a script ended determines the event and the reason."""
    decision = script_plan.classify_exit(state, script, ending, code, last=last)
    assert decision == Decision(event, reason)


@pytest.mark.parametrize(
    ("action", "policy", "expected"),
    [
        (Action.UPDATE, FULL, ("update.sh", "health-check.sh", "rollback.sh")),
        (Action.UPDATE, BARE, ("update.sh",)),
        (Action.ROLLBACK, FULL, ("rollback.sh", "health-check.sh")),
        (Action.HEALTH, FULL, ("health-check.sh",)),
    ],
)
def test_scripts_needed_lists_each_possible_script_once(action, policy, expected):
    """All of them are vetted before the first one starts."""
    assert script_plan.scripts_needed(action, policy) == expected


@pytest.mark.parametrize(
    ("probe", "script", "policy", "expected"),
    [
        (ProbeResult.ALIVE, "update.sh", FULL, RecoveryAction.ADOPT),
        (ProbeResult.ENDED, "update.sh", BARE, RecoveryAction.COLLECT),
        (ProbeResult.NEVER_STARTED, "update.sh", FULL, RecoveryAction.START),
        (ProbeResult.UNKNOWN, "update.sh", FULL, RecoveryAction.INTERRUPT),
        (ProbeResult.UNKNOWN, "update.sh", BARE, RecoveryAction.RERUN),
        (ProbeResult.UNKNOWN, "health-check.sh", FULL, RecoveryAction.RERUN),
    ],
)
def test_recovery_action_follows_the_table(probe, script, policy, expected):
    """A script that may have run is rerun only if it is a health check or its component allows it (I3)."""
    assert recovery_action(probe, rerunnable=script_plan.is_rerunnable(script, policy)) is expected
