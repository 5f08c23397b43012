"""The gate between the rules and the parts that ask them."""

from __future__ import annotations

from math import inf, nan

import pytest

from coordinator.policy_gate import PolicyGate
from coordinator.runtime import RunningTime
from fsm.journal import Journal
from policy.engine import Defer, RuleSet
from protocol.decode import decode_request
from tests.support.fixed_rule import FixedRule
from tests.support.manual_clock import ManualClock
from tests.support.message_samples import request_bytes


@pytest.mark.parametrize(("until_s", "due_s"), [(-5.0, 1.0), (0.0, 1.0), (nan, 1.0), (90.0, 90.0), (inf, inf)])
def test_gate_never_lets_a_rule_defer_into_the_past(tmp_path, until_s, due_s):
    """The lane would ask again without a pause; NaN would even be stored as "not deferred" (I16)."""
    clock = ManualClock()
    with Journal.open(tmp_path / "journal.db") as journal:
        running_time = RunningTime(journal, clock)
        rules = RuleSet(form=(), permission=(FixedRule(Defer(until_s, "waits")),))
        verdict = PolicyGate(rules, frozenset({"core"}), clock, running_time).at_turn(
            decode_request(request_bytes(), "r1")
        )
    assert verdict == Defer(pytest.approx(due_s), "waits")
