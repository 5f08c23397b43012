"""I1, I7, I12 over years of simulated time: when answers and requests are removed."""

from __future__ import annotations

from contextlib import closing
from itertools import count

import pytest

from coordinator.settings import Limits
from property_tests.model import Model
from property_tests.simulated_host import DEFAULT, SimulatedHost, request
from protocol.types import Action, State

REQUEST = (DEFAULT, Action.UPDATE, "1.0.0")


class LongRunningHost:
    """A host with a running coordinator, and its reference model."""

    def __init__(self, **limits):
        self.host = SimulatedHost(Limits(settle_s=2, **limits))
        self.model = Model(self.host)
        self.host.up()
        self.close = self.host.close

    def submit(self, **how):
        """Submit the request; by default its lane processes it."""
        self.host.spool.place("a.json", request("a", *REQUEST))
        self.model.request_submitted("a", REQUEST)
        self.run_pass(**how)

    def run_pass(self, *, with_lanes=True, kill=None, cut=None):
        """Run one pass of the main loop, and of the lanes by default."""
        runs = 50 if with_lanes else 0
        self.model.requests_restored(self.host.run_until_killed(lambda: self.host.work(runs), kill, cut))
        self.model.check()

    def advance_days(self, days):
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
def long_host():
    """A host with the default limits: 7 days for answers, 365 for history."""
    with closing(LongRunningHost()) as host:
        yield host


def test_retention_removes_an_unread_answer_after_a_week(long_host):
    """An unread answer is removed after a week, not earlier; its request stays known."""
    long_host.submit()
    long_host.advance_days(6)
    assert long_host.is_answered
    long_host.advance_days(2)
    assert (long_host.is_answered, long_host.is_known) == (False, True)


def test_retention_restarts_for_a_republished_answer(long_host):
    """A client that resubmits a request much later has a week to read the answer."""
    long_host.submit()
    long_host.advance_days(30)
    long_host.submit()
    long_host.advance_days(6)
    assert long_host.is_answered
    long_host.advance_days(2)
    assert not long_host.is_answered


@pytest.mark.parametrize("cut", [None, 0])
def test_retention_restarts_for_a_republished_answer_after_a_crash(cut):
    """The week also restarts after a crash or a power cut before any effect of republishing."""
    crashed = True
    for kill in count():
        with closing(LongRunningHost()) as long_host:
            long_host.submit()
            long_host.advance_days(30)
            long_host.submit(kill=kill, cut=cut)
            crashed = long_host.host.daemon is None
            if crashed:
                long_host.host.up()
                long_host.run_pass()
            long_host.advance_days(6)
            assert long_host.is_answered
        if not crashed:
            break


def test_retention_starts_when_the_answer_is_readable(long_host):
    """The retention week starts when the answer is readable, not when it is known."""
    long_host.host.outbox.is_full = True
    long_host.submit()
    long_host.advance_days(400)
    assert long_host.is_known
    long_host.host.outbox.is_full = False
    long_host.run_pass()
    long_host.advance_days(6)
    assert long_host.is_answered


def test_history_keeps_waiting_requests(long_host):
    """A request that waits for its lane for years still runs."""
    long_host.submit(with_lanes=False)
    long_host.advance_days(400)
    long_host.advance_days(400)
    long_host.run_pass()
    assert long_host.model.answers["a"].state is State.SUCCEEDED


def test_forgotten_id_denotes_a_new_request(long_host):
    """A request under a forgotten id runs again, and gets a new answer."""
    long_host.submit()
    first = long_host.model.answers["a"]
    long_host.advance_days(400)
    assert not long_host.is_known
    long_host.submit()
    assert long_host.model.answers["a"] != first
    assert len(long_host.host.world.runs_of("a", "update.sh")) == 2


def test_forgotten_id_does_not_run_without_a_new_file(long_host):
    """Restarts alone do not run a forgotten request again."""
    long_host.submit()
    long_host.advance_days(400)
    for _ in range(3):
        long_host.host.down()
        long_host.host.up()
        long_host.run_pass()
    assert len(long_host.host.world.runs_of("a")) == 2


def test_history_keeps_a_request_while_its_answer_exists():
    """With a shorter history limit, too; otherwise a new request under that id would find the old answer."""
    with closing(LongRunningHost(status_retention_days=7, history_days=1)) as long_host:
        long_host.submit()
        long_host.advance_days(3)
        assert (long_host.is_answered, long_host.is_known) == (True, True)
        long_host.advance_days(5)
        assert (long_host.is_answered, long_host.is_known) == (False, False)


@pytest.mark.parametrize("days", [1, -1, 30 * 365, -30 * 365, -100 * 365], ids=lambda days: f"{days} days")
def test_retention_counts_running_time_only(long_host, days):
    """Neither downtime nor a jump of the wall clock, even to 1970, removes an answer (I11)."""
    long_host.submit()
    long_host.host.down()
    long_host.host.clock.advance_while_down(400 * 86400)
    long_host.host.clock.jump(days)
    long_host.host.up()
    long_host.host.clock.jump(days)
    long_host.advance_days(0.1)
    assert (long_host.is_answered, long_host.is_known) == (True, True)
