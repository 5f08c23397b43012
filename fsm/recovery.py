"""What a restart does about a script that was running when the coordinator went away: a table (I3, I9)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from fsm.plan import HEALTH_CHECK

if TYPE_CHECKING:
    from fsm.plan import Traits

LOST_BOOT = "lost"  # the boot of an attempt that a lost journal may have held (I13)
MAX_RESUMES = 5  # I9: whoever needs more has a script that takes its host down; the answer is then failed

Trace = Literal["alive", "ended", "never_started", "unknown"]


class Resumption(StrEnum):
    """How an open attempt goes on."""

    ADOPT = "adopt"  # it still runs: wait for it
    COLLECT = "collect"  # it ended meanwhile and left its outcome: take that
    START = "start"  # it provably never began: starting it is no second time
    INTERRUPT = "interrupt"  # it may have begun and must not begin twice: it counts as interrupted
    RERUN = "rerun"  # it may have begun, and beginning again does no harm


# (what the world shows of the script, whether it may run twice) → what to do
_TABLE: dict[tuple[Trace, bool], Resumption] = {
    ("alive", False): Resumption.ADOPT,
    ("alive", True): Resumption.ADOPT,
    ("ended", False): Resumption.COLLECT,
    ("ended", True): Resumption.COLLECT,
    ("never_started", False): Resumption.START,
    ("never_started", True): Resumption.START,
    ("unknown", False): Resumption.INTERRUPT,
    ("unknown", True): Resumption.RERUN,
}


def resumption(trace: Trace, *, rerunnable: bool) -> Resumption:
    """What to do about an open attempt."""
    return _TABLE[trace, rerunnable]


def rerunnable(script: str, traits: Traits) -> bool:
    """Whether ``script`` may be started again after it may have run: health-check.sh always, others if told (I3)."""
    return script == HEALTH_CHECK or traits.rerun
