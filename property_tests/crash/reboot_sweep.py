"""``make reboot-sweep``: cuts the power at every system call that changes anything, and during each script (I9).

Every process is killed at once and the disk keeps all writes; ``make power-cuts`` covers unsynced writes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from fsm.recovery import MAX_RESUMES
from property_tests.crash.ground_truth import Uncertainty
from property_tests.crash.scenarios import (
    FAILS,
    HEALTH,
    ROLLBACK,
    UPDATE,
    ComponentSpec,
    PlannedRequest,
    Scenario,
)
from property_tests.crash.sweep import SweepSpec, kills, main
from property_tests.crash.syscalls import Syscall
from property_tests.crash.trial import Disruption, PowerCut, TraceSpec, Trial

_BLOCKS = "until [ -e go ]; do sleep 0.02; done"  # until the trial lets the scenario end
_ONCE = Uncertainty(interrupted=True)
_AGAIN = Uncertainty(interrupted=True, starts=MAX_RESUMES + 1)
_MORE_THAN_BOUND = MAX_RESUMES + 3  # planned cuts; those after the scenario's end are skipped


def _request(action: str = "update") -> tuple[PlannedRequest, ...]:
    return (PlannedRequest("one", action, "core", "", None, ()),)


def _cut(
    name: str,
    script: str,
    scripts: dict[str, str],
    *,
    cuts: int = 1,
    uncertainty: Uncertainty = _ONCE,
    **settings: object,
):
    """A trial in which the power is cut ``cuts`` times while ``script`` runs."""
    action = str(settings.pop("action", "update"))
    scenario = Scenario(name, {"core": ComponentSpec("core", {script: _BLOCKS} | scripts, settings)}, _request(action))
    return Trial(scenario, name, (PowerCut(script),) * cuts, uncertainty=uncertainty)


_WHILE_RUNNING = (
    _cut("power cut during update.sh", UPDATE, {}),
    _cut("power cut during rollback.sh", ROLLBACK, {UPDATE: FAILS}),
    _cut("power cut during health-check.sh", HEALTH, {}),
    _cut("power cut during a requested rollback.sh", ROLLBACK, {}, action="rollback"),
    _cut("power cut during a requested health-check.sh", HEALTH, {}, action="health"),
    _cut("power cut during update.sh, on_failure none", UPDATE, {}, on_failure="none"),
    _cut("update.sh may be rerun", UPDATE, {}, on_interruption="rerun", uncertainty=_AGAIN),
    _cut("update.sh may be rerun, two power cuts", UPDATE, {}, cuts=2, on_interruption="rerun", uncertainty=_AGAIN),
    _cut(
        "update.sh reboots the machine at every start",
        UPDATE,
        {},
        cuts=_MORE_THAN_BOUND,
        on_interruption="rerun",
        uncertainty=_AGAIN,
    ),
    _cut(
        "update.sh reboots the machine at every start, on_failure none",
        UPDATE,
        {},
        cuts=_MORE_THAN_BOUND,
        on_interruption="rerun",
        on_failure="none",
        uncertainty=_AGAIN,
    ),
    _cut(
        "rollback.sh reboots the machine at every start",
        ROLLBACK,
        {UPDATE: FAILS},
        cuts=_MORE_THAN_BOUND,
        on_interruption="rerun",
        uncertainty=_AGAIN,
    ),
    _cut("health-check.sh reboots the machine at every start", HEALTH, {}, cuts=_MORE_THAN_BOUND, action="health"),
)


def cuts(role: str, call: Syscall) -> Iterator[Disruption]:
    """A power cut at a call that changes anything."""
    yield from kills(role, call, takes_power=True)


REBOOTS = SweepSpec(
    purpose="Cut the power at every system call of the coordinator that changes anything.",
    noun="power cuts",
    trace=TraceSpec(),
    disruptions=cuts,
    uncertainty=_ONCE,
    first=cuts,
    always=lambda trial: isinstance(trial.disruptions[-1], PowerCut),
    extra=_WHILE_RUNNING,
)

if __name__ == "__main__":
    sys.exit(main(REBOOTS))
