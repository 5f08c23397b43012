"""I3: what becomes of each script that a dead coordinator left, in each state it can be found in."""

from __future__ import annotations

from contextlib import closing

import pytest

from property_tests.model import Model
from property_tests.simulated_host import CAREFUL, NO_ROLLBACK, RERUN, LittleHost, request
from property_tests.world import Deed
from protocol.types import Action, State

ONE_FAILS = {("a", "update.sh"): (Deed.FAIL,)}
ALL = (NO_ROLLBACK, CAREFUL, RERUN)
# What the request asks, which script is running when the coordinator dies, what makes it come to that, and where.
SCRIPTS = [
    (action, script, deeds, component)
    for action, script, deeds, components in [
        (Action.UPDATE, "update.sh", {}, ALL),
        (Action.UPDATE, "health-check.sh", {}, ALL),
        (Action.UPDATE, "rollback.sh", ONE_FAILS, (CAREFUL, RERUN)),
        (Action.ROLLBACK, "rollback.sh", {}, ALL),
        (Action.HEALTH, "health-check.sh", {}, ALL),
    ]
    for component in components
]


def _nothing(_host):
    """It runs on."""


def _end(host):
    """It ends, and its exit code is kept."""
    for run in host.world.alive():
        run.end()


def _vanish(host):
    """It is killed together with what would have kept its exit code."""
    for run in host.world.alive():
        run.die()


def _reboot(host):
    """The host restarts under it."""
    host.world.reboot()


def _end_and_reboot(host):
    """Its exit code was kept before the host restarted."""
    _end(host)
    _reboot(host)


# The coordinator dies before this effect, then this happens; so often the script is started in all when it must not
# be started twice, and so often when it may be.
FOUND = [
    ("look on", _nothing, 1, 1),
    ("look on", _end, 1, 1),
    ("look on", _vanish, 1, 2),
    ("look on", _reboot, 1, 2),
    ("look on", _end_and_reboot, 1, 1),
    ("start", _nothing, 1, 1),
    ("start", _reboot, 0, 1),
]


@pytest.mark.parametrize(("effect", "meanwhile", "careful", "rerun"), FOUND)
@pytest.mark.parametrize(("action", "script", "deeds", "component"), SCRIPTS)
def test_a_script_is_started_again_only_where_that_is_allowed(
    action, script, deeds, component, effect, meanwhile, careful, rerun
):
    """One that may have begun begins again only if it is a health check, or its component says so."""
    with closing(LittleHost()) as host:
        model = Model(host)
        host.world.deeds.update(deeds)
        host.up()
        version = "1.0.0" if action is Action.UPDATE else None
        host.spool.place("a.json", request("a", component, action, version))
        model.asked("a", (component, action, version))
        host.live(host.work, f"{effect} {script}")
        assert host.daemon is None
        meanwhile(host)
        host.up()
        host.live(host.work)
        may_run_twice = component == RERUN or script == "health-check.sh"
        assert len(model.runs("a", script)) == (rerun if may_run_twice else careful)
        model.check_drained()


@pytest.mark.parametrize("script", ["update.sh", "health-check.sh"])
def test_a_script_that_takes_its_host_down_is_not_started_for_ever(script):
    """Where a script may be started again, that has an end, and the end is an answer (I9)."""
    with closing(LittleHost()) as host:
        model = Model(host)
        host.spool.place("a.json", request("a", RERUN, Action.UPDATE, "1.0.0"))
        model.asked("a", (RERUN, Action.UPDATE, "1.0.0"))
        deaths = 0
        host.up()
        while True:
            host.live(host.work, f"look on {script}")
            if host.daemon:
                break
            deaths += 1
            assert deaths < 20, f"{script} took the host down {deaths} times, and is started once more"
            host.world.reboot()
            host.up()
        model.check_drained()
        assert model.answers["a"].state in {State.FAILED, State.ROLLED_BACK}
