"""How fast a client may speak."""

from __future__ import annotations

import pytest
from hand_clock import HandClock

from remote.api.token_bucket import Allowance


@pytest.fixture
def clock():
    """Stands still until it is told to go on."""
    return HandClock()


def spent(allowance):
    """How many messages are let through at this instant."""
    count = 0
    while allowance.spend():
        count += 1
    return count


@pytest.mark.parametrize("pause_s", [0, 3, 86400])
def test_a_burst_is_what_three_seconds_would_bring(clock, pause_s):
    """Silence before it saves nothing up beyond that."""
    allowance = Allowance(20, clock)
    clock.sleep(pause_s)
    assert spent(allowance) == 60


def test_it_grows_again_with_time(clock):
    """By the rate that is configured."""
    allowance = Allowance(20, clock)
    spent(allowance)
    clock.sleep(0.5)
    assert spent(allowance) == 10


def test_one_message_is_always_allowed_in_its_time(clock):
    """Also where the rate is less than one in three seconds."""
    allowance = Allowance(0.1, clock)
    assert spent(allowance) == 1
    clock.sleep(9)
    assert spent(allowance) == 0
    clock.sleep(1)
    assert spent(allowance) == 1
