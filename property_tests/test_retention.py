"""I1, I7, I12 over years: what is forgotten, and when; the clock goes on by days in an instant."""

from __future__ import annotations

from contextlib import closing
from itertools import count

import pytest

from coordinator.settings import Limits
from property_tests.model import Model
from property_tests.simulated_host import CAREFUL, LittleHost, request
from protocol.types import Action, State

WISH = (CAREFUL, Action.UPDATE, "1.0.0")


class Years:
    """A host with a running coordinator, and what must be true of it."""

    def __init__(self, **limits):
        self.host = LittleHost(Limits(settle_s=2, **limits))
        self.model = Model(self.host)
        self.host.up()
        self.close = self.host.close

    def ask(self, **how):
        """Submit the request; unless told otherwise, a lane takes it up."""
        self.host.spool.place("a.json", request("a", *WISH))
        self.model.asked("a", WISH)
        self.go(**how)

    def go(self, *, works=True, kill=None, cut=None):
        """One pass."""
        self.model.came_back(self.host.live(lambda: self.host.work(50 if works else 0), kill, cut))
        self.model.check()

    def later(self, days):
        """So many days of running go by."""
        self.host.live(lambda: self.host.let_days_pass(days))
        self.model.check()

    @property
    def is_answered(self):
        """Whether an answer lies there."""
        return self.host.spool.final("a").exists()

    @property
    def is_known(self):
        """Whether the journal knows the request."""
        return self.host.journal.get("a") is not None


@pytest.fixture
def years():
    """With the limits that hold unless somebody says otherwise: 7 days for answers, 365 for history."""
    with closing(Years()) as made:
        yield made


def test_an_answer_that_nobody_takes_goes_after_a_week(years):
    """Not earlier; and its request is still known."""
    years.ask()
    years.later(6)
    assert years.is_answered
    years.later(2)
    assert (years.is_answered, years.is_known) == (False, True)


def test_an_answer_given_again_is_as_good_as_new(years):
    """Whoever submits a request again, long after, has a week to read the answer."""
    years.ask()
    years.later(30)
    years.ask()
    years.later(6)
    assert years.is_answered
    years.later(2)
    assert not years.is_answered


@pytest.mark.parametrize("cut", [None, 0])
def test_an_answer_given_again_is_as_good_as_new_whatever_dies(cut):
    """The same when the coordinator dies, or the power fails, before any of the effects of giving it."""
    died = True
    for kill in count():
        with closing(Years()) as years:
            years.ask()
            years.later(30)
            years.ask(kill=kill, cut=cut)
            died = years.host.daemon is None
            if died:
                years.host.up()
                years.go()
            years.later(6)
            assert years.is_answered
        if not died:
            break


def test_an_answer_that_had_to_wait_for_its_folder_is_as_good_as_new(years):
    """A week counts from when the answer can be read, not from when it was known."""
    years.host.outbox.is_full = True
    years.ask()
    years.later(400)
    assert years.is_known
    years.host.outbox.is_full = False
    years.go()
    years.later(6)
    assert years.is_answered


def test_what_waits_is_never_forgotten(years):
    """A request that no lane gets to waits for years, then runs."""
    years.ask(works=False)
    years.later(400)
    years.later(400)
    years.go()
    assert years.model.answers["a"].state is State.SUCCEEDED


def test_a_forgotten_id_is_a_new_one(years):
    """Asked again after that, the request runs again, and is answered as what it is then."""
    years.ask()
    first = years.model.answers["a"]
    years.later(400)
    assert not years.is_known
    years.ask()
    assert years.model.answers["a"] != first
    assert len(years.host.world.runs_of("a", "update.sh")) == 2


def test_a_forgotten_id_does_not_run_by_itself(years):
    """Nothing but a new file makes anything run."""
    years.ask()
    years.later(400)
    for _ in range(3):
        years.host.down()
        years.host.up()
        years.go()
    assert len(years.host.world.runs_of("a")) == 2


def test_a_request_is_known_as_long_as_its_answer_lies_there():
    """Even when history is to be shorter; else the next request of that name would meet the old answer."""
    with closing(Years(status_retention_days=7, history_days=1)) as years:
        years.ask()
        years.later(3)
        assert (years.is_answered, years.is_known) == (True, True)
        years.later(5)
        assert (years.is_answered, years.is_known) == (False, False)


@pytest.mark.parametrize("days", [1, -1, 30 * 365, -30 * 365, -100 * 365], ids=lambda days: f"{days} days")
def test_time_counts_only_while_the_coordinator_runs(years, days):
    """Neither a year in a drawer nor a wall clock that jumps, be it to 1970, costs anybody an answer (I11)."""
    years.ask()
    years.host.down()
    years.host.clock.pass_unseen(400 * 86400)
    years.host.clock.jump(days)
    years.host.up()
    years.host.clock.jump(days)
    years.later(0.1)
    assert (years.is_answered, years.is_known) == (True, True)
