"""The recovery table: what a restart does about a script that was running when the coordinator ended (I3, I9)."""

from __future__ import annotations

from enum import StrEnum

from protocol.types import ProbeResult

LOST_BOOT = "lost"  # the boot id of an attempt that a lost journal may have held (I13)
MAX_RESUMES = 5  # I9: a script that needs more probably crashes its host; the request is then settled as failed


class RecoveryAction(StrEnum):
    """What a restart does with an open attempt."""

    ADOPT = "adopt"  # it still runs: wait for it
    COLLECT = "collect"  # it ended meanwhile and its outcome is recorded: use that
    START = "start"  # it certainly never began: starting it is not a second start
    INTERRUPT = "interrupt"  # it may have begun and must not begin twice: it counts as interrupted
    RERUN = "rerun"  # it may have begun, and may be started again


# (what the probe found, whether the script may run twice) → what to do
RECOVERY_TABLE: dict[tuple[ProbeResult, bool], RecoveryAction] = {
    (ProbeResult.ALIVE, False): RecoveryAction.ADOPT,
    (ProbeResult.ALIVE, True): RecoveryAction.ADOPT,
    (ProbeResult.ENDED, False): RecoveryAction.COLLECT,
    (ProbeResult.ENDED, True): RecoveryAction.COLLECT,
    (ProbeResult.NEVER_STARTED, False): RecoveryAction.START,
    (ProbeResult.NEVER_STARTED, True): RecoveryAction.START,
    (ProbeResult.UNKNOWN, False): RecoveryAction.INTERRUPT,
    (ProbeResult.UNKNOWN, True): RecoveryAction.RERUN,
}


def recovery_action(probe: ProbeResult, *, rerunnable: bool) -> RecoveryAction:
    """What to do about an open attempt."""
    return RECOVERY_TABLE[probe, rerunnable]
