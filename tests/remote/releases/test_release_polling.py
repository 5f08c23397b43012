"""Release polling: intervals, retries and restarts."""

import asyncio
import itertools
from datetime import timedelta

import github_faults as faults
import pytest
from release_fixture import DAY_S, captured_log

from remote.releases.catalogue import JITTER, RETRY_S, Catalogue
from tests.support.manual_clock import START

pytestmark = pytest.mark.usefixtures("published")


def poll(fixture, times):
    """Return the times of the first ``times`` calls of ``changed``, in seconds since the start."""
    calls = []

    async def changed():
        calls.append(fixture.clock.slept)
        if len(calls) == times:
            raise asyncio.CancelledError

    async def scenario(catalogue):
        with pytest.raises(asyncio.CancelledError):
            await catalogue.poll(changed)

    fixture.run(scenario)
    return calls


def intervals(calls):
    """Return the times between calls."""
    return [later - earlier for earlier, later in itertools.pairwise(calls)]


def test_poll_refreshes_at_the_start_and_every_interval(server, fixture):
    """``changed`` is called after each refresh; intervals have jitter."""
    calls = poll(fixture, 4)
    assert calls[0] == 0
    assert all(DAY_S <= pause <= DAY_S * (1 + JITTER) for pause in intervals(calls))
    assert len(set(intervals(calls))) == 3
    assert len(server.requests) == 12


def test_poll_waits_for_the_rest_of_the_interval_after_a_restart(server, fixture):
    """A restart does not cause an early request."""
    fixture.refresh()
    fixture.clock.sleep(3600)
    server.requests.clear()
    (call,) = poll(fixture, 1)
    assert DAY_S <= call <= DAY_S + DAY_S * JITTER
    assert len(server.requests) == 3


@pytest.mark.parametrize("jump", [-timedelta(days=300), timedelta(days=300)])
def test_poll_refreshes_at_once_after_a_clock_jump(server, fixture, jump):
    """A saved answer from the future, or from long ago, has an unknown age."""
    fixture.refresh()
    server.requests.clear()
    fixture.clock.utc = lambda: START + jump
    assert poll(fixture, 1) == [0]
    assert len(server.requests) == 3


def test_poll_pauses_grow_after_failures(server, fixture):
    """After a failure the pause is RETRY_S, doubled each time, up to the interval."""
    server.inject(faults.http_error(404), times=None)
    pauses = intervals(poll(fixture, 10))
    for number, pause in enumerate(pauses):
        least = min(RETRY_S * 2**number, DAY_S)
        assert least <= pause <= least * (1 + JITTER)


def test_poll_pause_is_bounded_after_many_failures(server, fixture):
    """5000 failures do not overflow: the pause is the interval."""
    server.inject(faults.http_error(404), times=3)

    async def scenario(catalogue):
        for entry in catalogue._entries.values():
            entry.failures = 5000
        await catalogue.refresh(force=True)
        assert catalogue._wait_s() == DAY_S

    fixture.run(scenario)


def test_poll_respects_a_rate_limit(server, fixture):
    """A rate limit that is longer than the pause is awaited."""
    server.inject(faults.primary_limit(reset_in_s=3000))
    calls = poll(fixture, 2)
    assert 3000 <= calls[1] - calls[0] <= 3000 * (1 + JITTER)
    assert server.statuses()[200] == 3


def test_poll_continues_after_an_error_of_its_listener(server, fixture):
    """An exception of ``changed`` is logged, and the next refresh follows after the interval (I16)."""
    calls = []

    async def changed():
        calls.append(fixture.clock.slept)
        if len(calls) == 3:
            raise asyncio.CancelledError
        raise ZeroDivisionError

    async def scenario(catalogue):
        with captured_log() as lines, pytest.raises(asyncio.CancelledError):
            await catalogue.poll(changed)
        assert lines == [f"cannot complete the check for releases; trying again in {RETRY_S:g} s"] * 2

    fixture.run(scenario)
    assert all(pause >= DAY_S for pause in intervals(calls))
    assert len(server.requests) == 9


def test_poll_pauses_after_an_unexpected_error(fixture, monkeypatch):
    """A refresh that raises before any component is checked is repeated after RETRY_S, not in a busy loop (I16)."""
    starts = []

    async def defective(_catalogue, *, force):
        starts.append(fixture.clock.slept)
        raise asyncio.CancelledError if len(starts) == 3 else ZeroDivisionError

    monkeypatch.setattr(Catalogue, "refresh", defective)

    async def scenario(catalogue):
        with captured_log(), pytest.raises(asyncio.CancelledError):
            await catalogue.poll(pytest.fail)

    fixture.run(scenario)
    assert starts == [0, RETRY_S, 2 * RETRY_S]


def test_poll_is_postponed_by_a_forced_refresh(server, fixture):
    """The interval counts from the latest good answer."""
    calls = []

    async def changed():
        calls.append(fixture.clock.slept)
        if len(calls) == 2:
            raise asyncio.CancelledError

    async def scenario(catalogue):
        await catalogue.refresh(force=True)

        async def pause(seconds):
            if fixture.clock.sleeps == 0:
                fixture.clock.sleep(DAY_S / 2)
                await catalogue.refresh(force=True)
                seconds -= DAY_S / 2
            fixture.clock.sleep(seconds)

        catalogue._pause = pause
        with pytest.raises(asyncio.CancelledError):
            await catalogue.poll(changed)

    fixture.run(scenario)
    assert 1.5 * DAY_S <= calls[0] <= 1.5 * DAY_S * (1 + JITTER)
