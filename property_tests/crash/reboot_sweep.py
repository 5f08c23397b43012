"""``make reboot-sweep``: cuts the power at every call that changes anything, and while each script runs (I9).

Every process is gone at once, the disk stays as it is: what a power cut leaves of unsynced writes is tried elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from fsm.recovery import MAX_RESUMES
from property_tests.crash.ground_truth import Doubt
from property_tests.crash.scenarios import (
    FAILS,
    HEALTH,
    ROLLBACK,
    UPDATE,
    Part,
    Scenario,
    Wish,
)
from property_tests.crash.sweep import Kind, kills, main
from property_tests.crash.syscalls import Call
from property_tests.crash.trial import Blow, Cut, Look, Trial

_WAITS = "until [ -e go ]; do sleep 0.02; done"  # until the story is to end
_ONCE = Doubt(interrupted=True)
_AGAIN = Doubt(interrupted=True, starts=MAX_RESUMES + 1)
_WITHOUT_END = MAX_RESUMES + 3  # cuts in store; those that a story does not live to see are passed over


def _wish(action: str = "update") -> tuple[Wish, ...]:
    return (Wish("one", action, "core", "", None, ()),)


def _cut(name: str, script: str, scripts: dict[str, str], *, cuts: int = 1, doubt: Doubt = _ONCE, **settings: object):
    """Power goes, so many times, while ``script`` runs."""
    action = str(settings.pop("action", "update"))
    story = Scenario(name, {"core": Part("core", {script: _WAITS} | scripts, settings)}, _wish(action))
    return Trial(story, name, (Cut(script),) * cuts, doubt=doubt)


_WHILE_RUNNING = (
    _cut("power goes during update.sh", UPDATE, {}),
    _cut("power goes during rollback.sh", ROLLBACK, {UPDATE: FAILS}),
    _cut("power goes during health-check.sh", HEALTH, {}),
    _cut("power goes during rollback.sh, asked for", ROLLBACK, {}, action="rollback"),
    _cut("power goes during health-check.sh, asked for", HEALTH, {}, action="health"),
    _cut("power goes during update.sh, no rollback wanted", UPDATE, {}, on_failure="none"),
    _cut("update.sh may be rerun", UPDATE, {}, on_interruption="rerun", doubt=_AGAIN),
    _cut("update.sh may be rerun, power goes twice", UPDATE, {}, cuts=2, on_interruption="rerun", doubt=_AGAIN),
    _cut(
        "update.sh takes the machine down every time",
        UPDATE,
        {},
        cuts=_WITHOUT_END,
        on_interruption="rerun",
        doubt=_AGAIN,
    ),
    _cut(
        "update.sh takes the machine down every time, no rollback wanted",
        UPDATE,
        {},
        cuts=_WITHOUT_END,
        on_interruption="rerun",
        on_failure="none",
        doubt=_AGAIN,
    ),
    _cut(
        "rollback.sh takes the machine down every time",
        ROLLBACK,
        {UPDATE: FAILS},
        cuts=_WITHOUT_END,
        on_interruption="rerun",
        doubt=_AGAIN,
    ),
    _cut("health-check.sh takes the machine down every time", HEALTH, {}, cuts=_WITHOUT_END, action="health"),
)


def cuts(role: str, call: Call) -> Iterator[Blow]:
    """The whole machine's end at a call that changes anything."""
    yield from kills(role, call, takes_power=True)


REBOOTS = Kind(
    purpose="Cut the machine's power at every call of the coordinator that changes anything.",
    noun="power cuts",
    look=Look(),
    blows=cuts,
    doubt=_ONCE,
    first=cuts,
    always=lambda trial: isinstance(trial.blows[-1], Cut),
    extra=_WHILE_RUNNING,
)

if __name__ == "__main__":
    sys.exit(main(REBOOTS))
