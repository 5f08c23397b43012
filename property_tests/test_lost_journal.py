"""I13, I10: the journal is gone, whatever the coordinator was doing and however often it dies again."""

from __future__ import annotations

from contextlib import closing
from itertools import count

import pytest

from property_tests.answer_check import MAIN
from property_tests.model import Model
from property_tests.simulated_host import CAREFUL, LittleHost, request
from protocol.types import Action

WISHES = {
    "update": (CAREFUL, Action.UPDATE, "1.0.0"),
    "rollback": (CAREFUL, Action.ROLLBACK, None),
    "health check": (CAREFUL, Action.HEALTH, None),
}


def _begin(host, name, *, kill=None):
    """An answered request, and one during which the coordinator dies."""
    model = Model(host)
    host.up()
    for request_id, wish in (("done", (CAREFUL, Action.HEALTH, None)), ("a", WISHES[name])):
        component, action, version = wish
        host.spool.place(f"{request_id}.json", request(request_id, component, action, version))
        model.asked(request_id, wish)
        host.live(host.work, kill if request_id == "a" else None)
    model.look()
    return model


def _finish(host, model):
    host.up()
    model.check()
    host.live(host.work)
    model.check_drained()


@pytest.mark.parametrize("reboots", [False, True])
@pytest.mark.parametrize("name", WISHES)
def test_a_journal_may_be_lost_at_any_moment(name, reboots):
    """Nothing runs twice or beside another, what was answered stays, and what was not gets its one true answer."""
    for kill in count():
        with closing(LittleHost()) as host:
            model = _begin(host, name, kill=kill)
            died = host.daemon is None
            if not died:
                host.down()
            if reboots:
                host.world.reboot()
            assert host.lose_journal()
            model.journal_lost()
            _finish(host, model)
        if not died:
            break


@pytest.mark.parametrize("cut", [None, 0])
@pytest.mark.parametrize("name", WISHES)
def test_a_coordinator_may_die_at_any_moment_while_it_builds_a_new_journal(name, cut):
    """A journal half filled is not taken for the truth."""
    for kill in count():
        with closing(LittleHost()) as host:
            model = _begin(host, name, kill=f"look on {MAIN[WISHES[name][1]]}")
            host.lose_journal()
            model.journal_lost()
            model.came_back(host.up(kill, cut))
            died = host.daemon is None
            if not died:
                host.down()
            _finish(host, model)
        if not died:
            break
