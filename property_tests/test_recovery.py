"""I3: what recovery does with each script of a crashed coordinator, in each state that the script can be in."""

from __future__ import annotations

from contextlib import closing

import pytest

from property_tests.model import Model
from property_tests.simulated_host import DEFAULT, NO_ROLLBACK, RERUN, SimulatedHost, request
from property_tests.world import ScriptBehavior
from protocol.types import Action, State

ONE_FAILS = {("a", "update.sh"): (ScriptBehavior.FAIL,)}
ALL = (NO_ROLLBACK, DEFAULT, RERUN)
# Action, the script that runs at the crash, the behaviors that lead there, and the components.
SCRIPTS = [
    (action, script, behaviors, component)
    for action, script, behaviors, components in [
        (Action.UPDATE, "update.sh", {}, ALL),
        (Action.UPDATE, "health-check.sh", {}, ALL),
        (Action.UPDATE, "rollback.sh", ONE_FAILS, (DEFAULT, RERUN)),
        (Action.ROLLBACK, "rollback.sh", {}, ALL),
        (Action.HEALTH, "health-check.sh", {}, ALL),
    ]
    for component in components
]


def _nothing(_host):
    """The script keeps running."""


def _end(host):
    """The script ends, and its exit code is recorded."""
    for run in host.world.alive():
        run.end()


def _lose_worker(host):
    """The script is killed together with the shell that records its exit code."""
    for run in host.world.alive():
        run.kill()


def _reboot(host):
    """The host reboots."""
    host.world.reboot()


def _end_and_reboot(host):
    """The exit code was recorded before the host rebooted."""
    _end(host)
    _reboot(host)


# The effect before which the coordinator crashes, what happens next, and the total number of starts: for a script that
# must not be started twice, and for one that may be rerun.
CRASHES = [
    ("observe", _nothing, 1, 1),
    ("observe", _end, 1, 1),
    ("observe", _lose_worker, 1, 2),
    ("observe", _reboot, 1, 2),
    ("observe", _end_and_reboot, 1, 1),
    ("start", _nothing, 1, 1),
    ("start", _reboot, 0, 1),
]


@pytest.mark.parametrize(("effect", "meanwhile", "starts", "starts_if_rerunnable"), CRASHES)
@pytest.mark.parametrize(("action", "script", "behaviors", "component"), SCRIPTS)
def test_recovery_reruns_a_script_only_where_allowed(
    action, script, behaviors, component, effect, meanwhile, starts, starts_if_rerunnable
):
    """A script that may have started is started again only if it is a health check or its component allows it."""
    with closing(SimulatedHost()) as host:
        model = Model(host)
        host.world.behaviors.update(behaviors)
        host.up()
        version = "1.0.0" if action is Action.UPDATE else None
        host.spool.place("a.json", request("a", component, action, version))
        model.request_submitted("a", (component, action, version))
        host.run_until_killed(host.work, f"{effect} {script}")
        assert host.daemon is None
        meanwhile(host)
        host.up()
        host.run_until_killed(host.work)
        may_run_twice = component == RERUN or script == "health-check.sh"
        assert len(model.runs("a", script)) == (starts_if_rerunnable if may_run_twice else starts)
        model.check_drained()


@pytest.mark.parametrize("script", ["update.sh", "health-check.sh"])
def test_recovery_bounds_reruns_of_a_script_that_reboots_its_host(script):
    """Restarts of a script that always reboots its host are bounded, and the outcome is an answer (I9)."""
    with closing(SimulatedHost()) as host:
        model = Model(host)
        host.spool.place("a.json", request("a", RERUN, Action.UPDATE, "1.0.0"))
        model.request_submitted("a", (RERUN, Action.UPDATE, "1.0.0"))
        crashes = 0
        host.up()
        while True:
            host.run_until_killed(host.work, f"observe {script}")
            if host.daemon:
                break
            crashes += 1
            assert crashes < 20, f"{script} rebooted the host {crashes} times and is started again"
            host.world.reboot()
            host.up()
        model.check_drained()
        assert model.answers["a"].state in {State.FAILED, State.ROLLED_BACK}
