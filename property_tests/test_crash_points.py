"""I1, I2, I3, I7, I9: whole request lifecycles, with a crash before each single effect in turn."""

from __future__ import annotations

from contextlib import closing
from itertools import count

import pytest

from property_tests.model import Model
from property_tests.simulated_host import DEFAULT, RERUN, SimulatedHost, request
from property_tests.world import ScriptBehavior
from protocol.types import Action

MIN_EFFECTS = 4
FAILING = {("a", "update.sh"): (ScriptBehavior.FAIL,)}
LIFECYCLES = {
    "update": (DEFAULT, Action.UPDATE, {}),
    "update that fails": (DEFAULT, Action.UPDATE, FAILING),
    "update that may be rerun": (RERUN, Action.UPDATE, {}),
    "rollback": (DEFAULT, Action.ROLLBACK, {}),
    "health check": (DEFAULT, Action.HEALTH, {}),
    "no such component": ("unconfigured", Action.UPDATE, {}),
}


def _submit(host, model, component, action):
    version = "1.0.0" if action is Action.UPDATE else None
    host.spool.place("a.json", request("a", component, action, version))
    model.request_submitted("a", (component, action, version))


def _nothing(_host):
    """The scripts keep running."""


def _end_scripts(host):
    """The scripts end before the next coordinator starts."""
    for run in host.world.alive():
        run.end()


def _lose_workers(host):
    """The scripts are killed together with the shells that record their exit codes."""
    for run in host.world.alive():
        run.kill()


def _reboot(host):
    """The host reboots cleanly."""
    host.world.reboot()


def _remove_request(host):
    """The client removes its request, which the coordinator may have admitted or run already."""
    (host.spool.requests / "a.json").unlink(missing_ok=True)


def _crashes(lifecycle, kill, *, cut=None, meanwhile=_nothing, again=False):
    """Run one lifecycle with a crash in it and finish it with the next coordinator; returns whether it crashed."""
    component, action, behaviors = LIFECYCLES[lifecycle]
    with closing(SimulatedHost()) as host:
        model = Model(host)
        host.world.behaviors.update(behaviors)
        host.up()
        _submit(host, model, component, action)
        if again:
            host.run_until_killed(host.work)
            model.check_drained()
            host.spool.final("a").unlink()
            host.clock.jump(365)  # a republished answer keeps its original timestamps
            _submit(host, model, component, action)
        model.requests_restored(host.run_until_killed(host.work, kill, cut))
        crashed = host.daemon is None
        model.check_statuses()
        if crashed:
            meanwhile(host)
            host.up()
        if not (host.spool.names() or host.journal.get("a")):
            model.unanswered.clear()  # removed before the coordinator saw it
        model.check()
        host.run_until_killed(host.work)
        model.check_drained()
    return crashed


def _every_kill(lifecycle, **circumstances):
    kills = next(kill for kill in count() if not _crashes(lifecycle, kill, **circumstances))
    assert kills > MIN_EFFECTS, f"the lifecycle has only {kills} effects"


@pytest.mark.parametrize("meanwhile", [_nothing, _end_scripts, _lose_workers, _reboot, _remove_request])
@pytest.mark.parametrize("lifecycle", LIFECYCLES)
def test_restart_after_a_kill_before_any_effect_answers_once(lifecycle, meanwhile):
    """After a kill before any effect, the next coordinator publishes the one true answer."""
    _every_kill(lifecycle, meanwhile=meanwhile)


@pytest.mark.parametrize("lifecycle", LIFECYCLES)
def test_restart_after_a_power_cut_before_any_effect_answers_once(lifecycle):
    """A power cut before any effect loses all unsynced data; the next coordinator publishes the one true answer."""
    _every_kill(lifecycle, cut=0)


@pytest.mark.parametrize("lifecycle", LIFECYCLES)
def test_resubmission_survives_a_power_cut_before_any_effect(lifecycle):
    """A resubmitted request gets its first answer without a run, also after a power cut before any effect."""
    _every_kill(lifecycle, again=True, cut=0)
