"""Evaluates rules: each returns Allow, Reject or Defer; the first rejection decides, else the longest deferral.

There are two kinds of rules. *Form* rules check what the request says; they are also evaluated when a lost journal is
rebuilt. *Permission* rules decide whether it may run now; they are evaluated at intake and again when the request's
turn comes, never at a rebuild: a rebuild must not reject a request whose script may have run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from protocol.messages import Request
from protocol.types import Reason


@dataclass(frozen=True)
class PolicyContext:
    """Facts from journal and configuration: all that a rule may know beside the request.

    Args:
        now: the wall clock, aware UTC; it may jump.
        uptime_s: the coordinator's running time in seconds; it never jumps.
        components: the configured names.
    """

    now: datetime
    uptime_s: float
    components: frozenset[str]


@dataclass(frozen=True)
class Allow:
    """The rule allows the request."""


@dataclass(frozen=True)
class Reject:
    """The request may never run: a stable code for programs, a sentence with the remedy for people."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Defer:
    """The request may not run yet: it waits until that running time (seconds) and is evaluated again then."""

    until_uptime_s: float
    why: str


Verdict = Allow | Reject | Defer
ALLOW = Allow()


class Rule(Protocol):
    """One rule. A new rule is a module in ``policy/rules/`` and a line in ``policy/rules/__init__.py``."""

    def evaluate(self, request: Request, context: PolicyContext) -> Verdict:
        """The rule's verdict; pure."""


@dataclass(frozen=True)
class RuleSet:
    """The rules of both kinds, in the order in which they are evaluated."""

    form: tuple[Rule, ...]
    permission: tuple[Rule, ...]


def evaluate(rules: Iterable[Rule], request: Request, context: PolicyContext) -> Verdict:
    """The verdict of all ``rules``: the first rejection, else the deferral that lasts longest, else Allow."""
    deferral: Defer | None = None
    for rule in rules:
        verdict = rule.evaluate(request, context)
        if isinstance(verdict, Reject):
            return verdict
        if isinstance(verdict, Defer) and (deferral is None or verdict.until_uptime_s > deferral.until_uptime_s):
            deferral = verdict
    return deferral or ALLOW
