"""I13, I10: the journal is lost at any moment, and the coordinator may crash again during the rebuild."""

from __future__ import annotations

from contextlib import closing
from itertools import count

import pytest

from property_tests.answer_check import MAIN_SCRIPT
from property_tests.model import Model
from property_tests.simulated_host import DEFAULT, SimulatedHost, request
from protocol.types import Action

REQUESTS = {
    "update": (DEFAULT, Action.UPDATE, "1.0.0"),
    "rollback": (DEFAULT, Action.ROLLBACK, None),
    "health check": (DEFAULT, Action.HEALTH, None),
}


def _start_until_crash(host, name, *, kill=None):
    """Answer one request, and crash during a second one."""
    model = Model(host)
    host.up()
    for request_id, body in (("done", (DEFAULT, Action.HEALTH, None)), ("a", REQUESTS[name])):
        component, action, version = body
        host.spool.place(f"{request_id}.json", request(request_id, component, action, version))
        model.request_submitted(request_id, body)
        host.run_until_killed(host.work, kill if request_id == "a" else None)
    model.check_statuses()
    return model


def _finish(host, model):
    host.up()
    model.check()
    host.run_until_killed(host.work)
    model.check_drained()


@pytest.mark.parametrize("reboots", [False, True])
@pytest.mark.parametrize("name", REQUESTS)
def test_recovery_from_a_lost_journal_answers_each_request_once(name, reboots):
    """No script runs twice or in parallel, existing answers stay, and every other request gets its one true answer."""
    for kill in count():
        with closing(SimulatedHost()) as host:
            model = _start_until_crash(host, name, kill=kill)
            crashed = host.daemon is None
            if not crashed:
                host.down()
            if reboots:
                host.world.reboot()
            assert host.lose_journal()
            model.journal_lost()
            _finish(host, model)
        if not crashed:
            break


@pytest.mark.parametrize("cut", [None, 0])
@pytest.mark.parametrize("name", REQUESTS)
def test_journal_rebuild_survives_a_crash_before_any_effect(name, cut):
    """A partly rebuilt journal is not used as if it were complete."""
    for kill in count():
        with closing(SimulatedHost()) as host:
            model = _start_until_crash(host, name, kill=f"observe {MAIN_SCRIPT[REQUESTS[name][1]]}")
            host.lose_journal()
            model.journal_lost()
            model.requests_restored(host.up(kill, cut))
            crashed = host.daemon is None
            if not crashed:
                host.down()
            _finish(host, model)
        if not crashed:
            break
