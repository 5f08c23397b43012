"""Evaluates the policy rules, with the facts that they need."""

from __future__ import annotations

from coordinator.runtime import RunningTime
from policy.engine import Defer, PolicyContext, RuleSet, Verdict, evaluate
from protocol.clock import Clock
from protocol.messages import Request

_MIN_DEFERRAL_S = 1.0  # a rule that defers into the past must not make a lane loop without a pause


class PolicyGate:
    """The rules of this coordinator, evaluated at intake, at a request's turn and at a rebuild."""

    def __init__(self, rules: RuleSet, components: frozenset[str], clock: Clock, running_time: RunningTime) -> None:
        self._rules = rules
        self._components = components
        self._clock = clock
        self._running_time = running_time

    def at_intake(self, request: Request) -> Verdict:
        """Whether the request is well formed and may run."""
        return self._evaluate(request, form=True, permission=True)

    def at_turn(self, request: Request) -> Verdict:
        """Whether an admitted request may run now: the facts may have changed while it waited."""
        return self._evaluate(request, form=False, permission=True)

    def at_rebuild(self, request: Request) -> Verdict:
        """Whether the request is well formed; permission is not evaluated, because its script may have run (I13)."""
        return self._evaluate(request, form=True, permission=False)

    def _evaluate(self, request: Request, *, form: bool, permission: bool) -> Verdict:
        uptime_s = self._running_time.now_s()
        context = PolicyContext(self._clock.utc(), uptime_s, self._components)
        rules = (self._rules.form if form else ()) + (self._rules.permission if permission else ())
        verdict = evaluate(rules, request, context)
        if isinstance(verdict, Defer):
            earliest_s = uptime_s + _MIN_DEFERRAL_S
            # In this order max() drops NaN, which SQLite would store as NULL: the request would be due at once.
            return Defer(max(earliest_s, verdict.until_uptime_s), verdict.why)
        return verdict
