"""Token bucket: how fast a client may send."""

from __future__ import annotations

import pytest

from remote.api.token_bucket import TokenBucket
from tests.support.manual_clock import ManualClock


@pytest.fixture
def clock():
    """A clock that moves only when a test moves it."""
    return ManualClock()


def drain(bucket):
    """How many messages are allowed at this instant."""
    count = 0
    while bucket.try_acquire():
        count += 1
    return count


@pytest.mark.parametrize("pause_s", [0, 3, 86400])
def test_token_bucket_allows_a_burst_of_three_seconds_worth(clock, pause_s):
    """A longer silence saves up no more than that."""
    bucket = TokenBucket(20, clock)
    clock.sleep(pause_s)
    assert drain(bucket) == 60


def test_token_bucket_refills_at_the_configured_rate(clock):
    """Half a second at 20 a second is ten messages."""
    bucket = TokenBucket(20, clock)
    drain(bucket)
    clock.sleep(0.5)
    assert drain(bucket) == 10


def test_token_bucket_always_allows_one_message_in_its_time(clock):
    """Also with a rate below one message in three seconds."""
    bucket = TokenBucket(0.1, clock)
    assert drain(bucket) == 1
    clock.sleep(9)
    assert drain(bucket) == 0
    clock.sleep(1)
    assert drain(bucket) == 1


def test_token_bucket_limits_what_follows_a_burst(clock):
    """Three seconds' worth at once, then the configured rate."""
    bucket = TokenBucket(10, clock)
    assert [bucket.try_acquire() for _ in range(31)] == [True] * 30 + [False]
    clock.sleep(0.25)
    assert [bucket.try_acquire() for _ in range(3)] == [True, True, False]
