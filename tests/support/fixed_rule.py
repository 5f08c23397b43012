"""Fake of a policy rule."""

from __future__ import annotations

from policy.engine import ALLOW, PolicyContext, Verdict
from protocol.messages import Request


class FixedRule:
    """Returns its verdicts in order, then ALLOW; records its arguments in ``calls``."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts = list(verdicts)
        self.calls: list[tuple[Request, PolicyContext]] = []

    def evaluate(self, request: Request, context: PolicyContext) -> Verdict:
        self.calls.append((request, context))
        return self.verdicts.pop(0) if self.verdicts else ALLOW
