"""When the releases are asked for."""

import itertools
from datetime import timedelta

import github_faults as faults
import pytest
from hand_clock import START
from release_fixture import DAY_S

from remote.releases.catalogue import JITTER, RETRY_S

pytestmark = pytest.mark.usefixtures("published")


class EnoughError(Exception):
    """The test has seen enough."""


def keep_fresh(stage, times):
    """When ``changed`` was called, in seconds since the start, so many times."""
    calls = []

    async def changed():
        calls.append(stage.clock.slept)
        if len(calls) == times:
            raise EnoughError

    async def walk(catalogue):
        with pytest.raises(EnoughError):
            await catalogue.keep_fresh(changed)

    stage.run(walk)
    return calls


def between(calls):
    """The times between calls."""
    return [later - earlier for earlier, later in itertools.pairwise(calls)]


def test_releases_are_kept_fresh(server, stage):
    """At the start, and then once every interval with some jitter, releases are asked for, and that is told."""
    calls = keep_fresh(stage, 4)
    assert calls[0] == 0
    assert all(DAY_S <= pause <= DAY_S * (1 + JITTER) for pause in between(calls))
    assert len(set(between(calls))) == 3
    assert len(server.answers) == 12


def test_a_restart_does_not_ask_early(server, stage):
    """After a restart the next question waits for the rest of the interval."""
    stage.refresh()
    stage.clock.sleep(3600)
    server.answers.clear()
    (call,) = keep_fresh(stage, 1)
    assert DAY_S <= call <= DAY_S + DAY_S * JITTER
    assert len(server.answers) == 3


@pytest.mark.parametrize(("jump", "asked"), [(-timedelta(days=300), 3), (timedelta(days=300), 3)])
def test_a_restart_after_a_jump_of_the_clock_asks_at_once(server, stage, jump, asked):
    """An answer from the future, or from long ago, is of unknown age and asked for again."""
    stage.refresh()
    server.answers.clear()
    stage.clock.utc = lambda: START + jump
    assert keep_fresh(stage, 1) == [0]
    assert len(server.answers) == asked


def test_failed_checks_are_repeated_more_and_more_seldom(server, stage):
    """After a failed check the next comes sooner than the interval, then later every time, up to that."""
    server.misbehave(faults.refusal(404), times=None)
    pauses = between(keep_fresh(stage, 10))
    for number, pause in enumerate(pauses):
        least = min(RETRY_S * 2**number, DAY_S)
        assert least <= pause <= least * (1 + JITTER)


def test_a_thousand_failures_do_not_end_the_checks(server, stage):
    """However often checks failed before, the next comes after the interval."""
    server.misbehave(faults.refusal(404), times=3)

    async def walk(catalogue):
        for standing in catalogue._standings.values():
            standing.failures = 5000
        await catalogue.refresh(force=True)
        assert catalogue._wait_s() == DAY_S

    stage.run(walk)


def test_a_limit_is_waited_for(server, stage):
    """When the server limits for longer than the next try would wait, that waits."""
    server.misbehave(faults.primary_limit(reset_in_s=3000))
    calls = keep_fresh(stage, 2)
    assert 3000 <= calls[1] - calls[0] <= 3000 * (1 + JITTER)
    assert server.statuses()[200] == 3


def test_a_forced_refresh_postpones_the_next(server, stage):
    """What was asked for by force meanwhile is not asked for again when it would have been due."""
    calls = []

    async def changed():
        calls.append(stage.clock.slept)
        if len(calls) == 2:
            raise EnoughError

    async def walk(catalogue):
        await catalogue.refresh(force=True)

        async def pause(seconds):
            if stage.clock.sleeps == 0:
                stage.clock.sleep(DAY_S / 2)
                await catalogue.refresh(force=True)
                seconds -= DAY_S / 2
            stage.clock.sleep(seconds)

        catalogue._pause = pause
        with pytest.raises(EnoughError):
            await catalogue.keep_fresh(changed)

    stage.run(walk)
    assert 1.5 * DAY_S <= calls[0] <= 1.5 * DAY_S * (1 + JITTER)
