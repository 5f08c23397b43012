"""The policy engine: how the verdicts of several rules become one, and which rules are registered."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from policy.engine import ALLOW, Defer, PolicyContext, Reject, evaluate
from policy.rules import RULES
from policy.rules.known_component import KnownComponent
from policy.rules.request_complete import RequestComplete
from policy.rules.version_well_formed import VersionWellFormed
from protocol.messages import Request
from protocol.types import Action, Reason
from tests.support.fixed_rule import FixedRule

NOW = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)
CONTEXT = PolicyContext(NOW, 5.0, frozenset({"remote", "core", "scheduler"}))
REQUEST = Request(component="core", action=Action.UPDATE, version="1.2.3", request_id="r1", timestamp=NOW)
SHORT, LONG = Defer(10.0, "short"), Defer(20.0, "long")
INVALID, LATE = Reject(Reason.INVALID_REQUEST, "invalid"), Reject(Reason.TIMEOUT, "late")


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], ALLOW),
        ([ALLOW, ALLOW], ALLOW),
        ([ALLOW, INVALID, LATE], INVALID),
        ([SHORT, ALLOW], SHORT),
        ([SHORT, LONG], LONG),
        ([LONG, SHORT], LONG),
        ([LONG, INVALID], INVALID),
    ],
)
def test_evaluate_combines_verdicts(verdicts, expected):
    """The first rejection wins, even after a deferral; otherwise the longest deferral; otherwise Allow."""
    assert evaluate([FixedRule(verdict) for verdict in verdicts], REQUEST, CONTEXT) == expected


def test_evaluate_passes_request_and_context_and_stops_at_a_rejection():
    """A rule after a rejection is not evaluated."""
    rules = [FixedRule(ALLOW), FixedRule(INVALID), FixedRule(ALLOW)]
    evaluate(rules, REQUEST, CONTEXT)
    assert [rule.calls for rule in rules] == [[(REQUEST, CONTEXT)], [(REQUEST, CONTEXT)], []]


def test_registry_lists_the_form_rules():
    """The three rules of the wire contract are form rules: a journal rebuild evaluates them too."""
    assert [type(rule) for rule in RULES.form] == [KnownComponent, RequestComplete, VersionWellFormed]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"action": Action.HEALTH, "version": None}, None),
        ({"action": Action.ROLLBACK, "version": None}, None),
        ({"component": "web"}, Reason.UNKNOWN_COMPONENT),
        ({"version": None}, Reason.INVALID_REQUEST),
        ({"version": "latest"}, Reason.INVALID_REQUEST),
        ({"action": Action.HEALTH, "version": "latest"}, Reason.INVALID_REQUEST),
    ],
)
def test_form_rules_reject_by_the_first_violated_rule(changes, reason):
    """A request that violates no rule is allowed."""
    verdict = evaluate(RULES.form, REQUEST.model_copy(update=changes), replace(CONTEXT))
    assert (verdict.reason if isinstance(verdict, Reject) else None) == reason
