"""I1, I2, I3, I7, I9: whole lives of requests, and a death before every single effect in them, one after the other."""

from __future__ import annotations

from contextlib import closing
from itertools import count

import pytest

from property_tests.model import Model
from property_tests.simulated_host import CAREFUL, RERUN, LittleHost, request
from property_tests.world import Deed
from protocol.types import Action

LEAST_EFFECTS = 4
BAD = {("a", "update.sh"): (Deed.FAIL,)}
LIVES = {
    "update": (CAREFUL, Action.UPDATE, {}),
    "update that fails": (CAREFUL, Action.UPDATE, BAD),
    "update that may be rerun": (RERUN, Action.UPDATE, {}),
    "rollback": (CAREFUL, Action.ROLLBACK, {}),
    "health check": (CAREFUL, Action.HEALTH, {}),
    "no such component": ("nobody", Action.UPDATE, {}),
}


def _ask(host, model, component, action):
    version = "1.0.0" if action is Action.UPDATE else None
    host.spool.place("a.json", request("a", component, action, version))
    model.asked("a", (component, action, version))


def _nothing(_host):
    """The scripts run on."""


def _end_scripts(host):
    """The scripts end before the next coordinator comes."""
    for run in host.world.alive():
        run.end()


def _lose_sessions(host):
    """Somebody kills the scripts, and what would have told how they ended."""
    for run in host.world.alive():
        run.die()


def _reboot(host):
    """The host goes down in good order."""
    host.world.reboot()


def _take_back(host):
    """The client takes its request back; by then it may be admitted, and may even have run."""
    (host.spool.requests / "a.json").unlink(missing_ok=True)


def _dies(life, kill, *, cut=None, meanwhile=_nothing, again=False):
    """Live one life with a death in it, then let the next coordinator finish; tell whether there was a death."""
    component, action, deeds = LIVES[life]
    with closing(LittleHost()) as host:
        model = Model(host)
        host.world.deeds.update(deeds)
        host.up()
        _ask(host, model, component, action)
        if again:
            host.live(host.work)
            model.check_drained()
            host.spool.final("a").unlink()
            host.clock.jump(365)  # an answer tells of its time, not of the hour at which it is given again
            _ask(host, model, component, action)
        model.came_back(host.live(host.work, kill, cut))
        died = host.daemon is None
        model.look()
        if died:
            meanwhile(host)
            host.up()
        if not (host.spool.names() or host.journal.get("a")):
            model.owed.clear()  # taken back before anybody had seen it
        model.check()
        host.live(host.work)
        model.check_drained()
    return died


def _every_kill(life, **circumstances):
    kills = next(kill for kill in count() if not _dies(life, kill, **circumstances))
    assert kills > LEAST_EFFECTS, "the life had next to no effects"


@pytest.mark.parametrize("meanwhile", [_nothing, _end_scripts, _lose_sessions, _reboot, _take_back])
@pytest.mark.parametrize("life", LIVES)
def test_a_coordinator_may_be_killed_before_any_effect(life, meanwhile):
    """Whatever was done so far, the next coordinator brings the request to its one true answer."""
    _every_kill(life, meanwhile=meanwhile)


@pytest.mark.parametrize("life", LIVES)
def test_power_may_be_cut_before_any_effect(life):
    """The same when everything goes that no fsync asked to keep."""
    _every_kill(life, cut=0)


@pytest.mark.parametrize("life", LIVES)
def test_a_repeated_answer_may_be_cut_off_anywhere(life):
    """A request submitted again gets its first answer, without a run, whatever dies and is lost on the way."""
    _every_kill(life, again=True, cut=0)
