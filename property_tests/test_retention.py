"""I1, I7, I12 over years of simulated time: what is forgotten, and when."""

from __future__ import annotations

from contextlib import closing
from itertools import count

import pytest

from coordinator.settings import Limits
from property_tests.model import Model
from property_tests.simulated_host import CAREFUL, SimulatedHost, request
from protocol.types import Action, State

REQUEST = (CAREFUL, Action.UPDATE, "1.0.0")


class LongRunningHost:
    """A host with a running coordinator, and its reference model."""

    def __init__(self, **limits):
        self.host = SimulatedHost(Limits(settle_s=2, **limits))
        self.model = Model(self.host)
        self.host.up()
        self.close = self.host.close

    def ask(self, **how):
        """Submit the request; by default a lane processes it."""
        self.host.spool.place("a.json", request("a", *REQUEST))
        self.model.request_submitted("a", REQUEST)
        self.go(**how)

    def go(self, *, works=True, kill=None, cut=None):
        """Run one pass."""
        self.model.requests_restored(self.host.run_until_killed(lambda: self.host.work(50 if works else 0), kill, cut))
        self.model.check()

    def later(self, days):
        """Let this many days of running time pass."""
        self.host.run_until_killed(lambda: self.host.advance_days(days))
        self.model.check()

    @property
    def is_answered(self):
        """Whether the answer exists."""
        return self.host.spool.final("a").exists()

    @property
    def is_known(self):
        """Whether the journal holds the request."""
        return self.host.journal.get("a") is not None


@pytest.fixture
def years():
    """A host with the default limits: 7 days for answers, 365 for history."""
    with closing(LongRunningHost()) as made:
        yield made


def test_retention_removes_an_unread_answer_after_a_week(years):
    """An unread answer is removed after a week, not earlier; its request stays known."""
    years.ask()
    years.later(6)
    assert years.is_answered
    years.later(2)
    assert (years.is_answered, years.is_known) == (False, True)


def test_retention_restarts_for_a_republished_answer(years):
    """A client that resubmits a request long after has a week to read the answer."""
    years.ask()
    years.later(30)
    years.ask()
    years.later(6)
    assert years.is_answered
    years.later(2)
    assert not years.is_answered


@pytest.mark.parametrize("cut", [None, 0])
def test_retention_restarts_for_a_republished_answer_after_a_crash(cut):
    """The same after a crash or a power cut before any effect of republishing."""
    crashed = True
    for kill in count():
        with closing(LongRunningHost()) as years:
            years.ask()
            years.later(30)
            years.ask(kill=kill, cut=cut)
            crashed = years.host.daemon is None
            if crashed:
                years.host.up()
                years.go()
            years.later(6)
            assert years.is_answered
        if not crashed:
            break


def test_retention_starts_when_the_answer_is_readable(years):
    """The retention week starts when the answer is readable, not when it is known."""
    years.host.outbox.is_full = True
    years.ask()
    years.later(400)
    assert years.is_known
    years.host.outbox.is_full = False
    years.go()
    years.later(6)
    assert years.is_answered


def test_history_keeps_waiting_requests(years):
    """A request that waits for its lane for years still runs."""
    years.ask(works=False)
    years.later(400)
    years.later(400)
    years.go()
    assert years.model.answers["a"].state is State.SUCCEEDED


def test_forgotten_id_denotes_a_new_request(years):
    """A request under a forgotten id runs again, and gets a new answer."""
    years.ask()
    first = years.model.answers["a"]
    years.later(400)
    assert not years.is_known
    years.ask()
    assert years.model.answers["a"] != first
    assert len(years.host.world.runs_of("a", "update.sh")) == 2


def test_forgotten_id_does_not_run_without_a_new_file(years):
    """Only a new file starts a run."""
    years.ask()
    years.later(400)
    for _ in range(3):
        years.host.down()
        years.host.up()
        years.go()
    assert len(years.host.world.runs_of("a")) == 2


def test_history_keeps_a_request_while_its_answer_exists():
    """Also with a shorter history limit; else the next request under that id would meet the old answer."""
    with closing(LongRunningHost(status_retention_days=7, history_days=1)) as years:
        years.ask()
        years.later(3)
        assert (years.is_answered, years.is_known) == (True, True)
        years.later(5)
        assert (years.is_answered, years.is_known) == (False, False)


@pytest.mark.parametrize("days", [1, -1, 30 * 365, -30 * 365, -100 * 365], ids=lambda days: f"{days} days")
def test_retention_counts_running_time_only(years, days):
    """Neither downtime nor a jump of the wall clock, also to 1970, removes an answer (I11)."""
    years.ask()
    years.host.down()
    years.host.clock.advance_while_down(400 * 86400)
    years.host.clock.jump(days)
    years.host.up()
    years.host.clock.jump(days)
    years.later(0.1)
    assert (years.is_answered, years.is_known) == (True, True)
