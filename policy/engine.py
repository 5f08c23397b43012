"""What a judge is told and what it answers; every judge is asked, the first objection stands."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Protocol

from policy import rules
from protocol.messages import Request
from protocol.modules import modules_of
from protocol.types import Reason


@dataclass(frozen=True)
class PolicyContext:
    """All a judge may know beside the request: it looks nothing up."""

    now: datetime
    components: frozenset[str]


@dataclass(frozen=True)
class Rejection:
    """Why a request may not run: a stable code for programs, a sentence with the remedy for people."""

    reason: Reason
    message: str


class Judge(Protocol):
    """One rule. Later rules (signature, rate, schedule) join by adding a module to ``policy/rules/``."""

    def judge(self, request: Request, circumstances: PolicyContext) -> Rejection | None:
        """The refusal this rule demands; None when it has no objection."""


@cache
def all_judges() -> tuple[Judge, ...]:
    """Every judge in ``policy/rules/``, in the order of their modules' names.

    Raises:
        OSError: the folder cannot be read: who cannot ask every judge must let nothing in (I6).
    """
    return tuple(importlib.import_module(f"{rules.__name__}.{name}").JUDGE for name in modules_of(rules))


def decide(request: Request, circumstances: PolicyContext, asked: Sequence[Judge] | None = None) -> Rejection | None:
    """The first objection any judge has; None when the request may run."""
    for judge in all_judges() if asked is None else asked:
        if refusal := judge.judge(request, circumstances):
            return refusal
    return None
