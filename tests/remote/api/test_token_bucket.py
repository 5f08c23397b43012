"""Token bucket: the rate limit of a client's messages."""

from __future__ import annotations

import pytest

from remote.api.token_bucket import TokenBucket
from tests.support.manual_clock import ManualClock


@pytest.fixture
def clock():
    """A clock that only tests advance."""
    return ManualClock()


def drain(bucket):
    """Take all available tokens, and return their number."""
    count = 0
    while bucket.try_acquire():
        count += 1
    return count


@pytest.mark.parametrize("pause_s", [0, 3, 86400])
def test_token_bucket_bounds_a_burst_to_three_seconds_of_the_rate(clock, pause_s):
    """The capacity is three seconds of the rate, also after a longer pause."""
    bucket = TokenBucket(20, clock)
    clock.sleep(pause_s)
    assert drain(bucket) == 60


def test_token_bucket_refills_at_the_configured_rate(clock):
    """At 20 messages per second, half a second allows ten messages."""
    bucket = TokenBucket(20, clock)
    drain(bucket)
    clock.sleep(0.5)
    assert drain(bucket) == 10


def test_token_bucket_allows_single_messages_at_a_low_rate(clock):
    """The capacity is at least one message, also at a rate below one message per three seconds."""
    bucket = TokenBucket(0.1, clock)
    assert drain(bucket) == 1
    clock.sleep(9)
    assert drain(bucket) == 0
    clock.sleep(1)
    assert drain(bucket) == 1


def test_token_bucket_limits_messages_after_a_burst(clock):
    """After a burst of three seconds of the rate, only the configured rate is allowed."""
    bucket = TokenBucket(10, clock)
    assert [bucket.try_acquire() for _ in range(31)] == [True] * 30 + [False]
    clock.sleep(0.25)
    assert [bucket.try_acquire() for _ in range(3)] == [True, True, False]
