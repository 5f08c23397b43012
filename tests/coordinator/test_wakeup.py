"""The wake-up of a thread that sleeps."""

from __future__ import annotations

from math import inf

import pytest

from coordinator.wakeup import Wakeup


@pytest.mark.parametrize("timeout_s", [None, 0.0, 30 * 86400.0, 100 * 365 * 86400.0, inf])
def test_wait_returns_at_once_when_notified(timeout_s):
    """Also with a limit that is too large for poll(2): a request may be deferred for months."""
    wakeup = Wakeup()
    wakeup.notify()
    assert wakeup.wait(timeout_s) is True


def test_wait_without_a_notification_ends_at_its_limit():
    """Notifications before the last wait are not counted again, and a negative limit means at once."""
    wakeup = Wakeup()
    wakeup.notify()
    wakeup.notify()
    assert [wakeup.wait(0), wakeup.wait(0), wakeup.wait(-1)] == [True, False, False]
