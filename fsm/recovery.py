"""What a restart does about a script that was running when the coordinator went away: a table (I3, I9)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from fsm.script_plan import HEALTH_CHECK
from protocol.types import ProbeResult

if TYPE_CHECKING:
    from fsm.script_plan import ScriptPolicy

LOST_BOOT = "lost"  # the boot of an attempt that a lost journal may have held (I13)
MAX_RESUMES = 5  # I9: whoever needs more has a script that takes its host down; the answer is then failed


class RecoveryAction(StrEnum):
    """How an open attempt goes on."""

    ADOPT = "adopt"  # it still runs: wait for it
    COLLECT = "collect"  # it ended meanwhile and left its outcome: take that
    START = "start"  # it provably never began: starting it is no second time
    INTERRUPT = "interrupt"  # it may have begun and must not begin twice: it counts as interrupted
    RERUN = "rerun"  # it may have begun, and beginning again does no harm


# (what the world shows of the script, whether it may run twice) → what to do
_TABLE: dict[tuple[ProbeResult, bool], RecoveryAction] = {
    (ProbeResult.ALIVE, False): RecoveryAction.ADOPT,
    (ProbeResult.ALIVE, True): RecoveryAction.ADOPT,
    (ProbeResult.ENDED, False): RecoveryAction.COLLECT,
    (ProbeResult.ENDED, True): RecoveryAction.COLLECT,
    (ProbeResult.NEVER_STARTED, False): RecoveryAction.START,
    (ProbeResult.NEVER_STARTED, True): RecoveryAction.START,
    (ProbeResult.UNKNOWN, False): RecoveryAction.INTERRUPT,
    (ProbeResult.UNKNOWN, True): RecoveryAction.RERUN,
}


def resumption(trace: ProbeResult, *, rerunnable: bool) -> RecoveryAction:
    """What to do about an open attempt."""
    return _TABLE[trace, rerunnable]


def rerunnable(script: str, traits: ScriptPolicy) -> bool:
    """Whether ``script`` may be started again after it may have run: health-check.sh always, others if told (I3)."""
    return script == HEALTH_CHECK or traits.rerun
