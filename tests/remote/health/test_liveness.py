"""Liveness tracker: expiry of components without messages."""

import math

from remote.health.liveness import LivenessTracker


def tracker_of(*components, interval_s=30, alive_s=45):
    """A tracker with the default intervals, restarted at 0 with a request."""
    tracker = LivenessTracker(components, interval_s, alive_s)
    tracker.restart(0)
    tracker.record_request(0)
    return tracker


def test_tracker_expires_a_component_after_alive_s():
    """After the first request a component has its full time."""
    tracker = tracker_of("core")
    assert (tracker.next_expiry(), tracker.pop_expired(44.9)) == (45, [])
    assert tracker.pop_expired(45) == ["core"]


def test_tracker_returns_an_expired_component_once():
    """Further requests do not return it again."""
    tracker = tracker_of("core")
    assert tracker.pop_expired(45) == ["core"]
    tracker.record_request(60)
    assert (tracker.next_expiry(), tracker.pop_expired(1000)) == (math.inf, [])


def test_tracker_counts_from_the_latest_message():
    """The time restarts with each message, also for an expired component."""
    tracker = tracker_of("core")
    tracker.pop_expired(45)
    tracker.record_message("core", 50)
    tracker.record_request(60)
    tracker.record_message("core", 61)
    tracker.record_request(90)
    assert (tracker.pop_expired(105.9), tracker.pop_expired(106)) == ([], ["core"])


def test_tracker_treats_components_independently():
    """A message of one component does not extend another."""
    tracker = tracker_of("core", "scheduler")
    tracker.record_message("core", 20)
    tracker.record_request(30)
    assert tracker.pop_expired(64) == ["scheduler"]
    assert tracker.pop_expired(65) == ["core"]


def test_tracker_extends_the_time_after_a_late_request():
    """The time to answer is the same as after a punctual request."""
    tracker = tracker_of("core")
    tracker.record_message("core", 1)
    assert tracker.pop_expired(100) == []
    tracker.record_request(100)
    assert (tracker.pop_expired(114.9), tracker.pop_expired(115)) == ([], ["core"])


def test_tracker_counts_from_the_first_unanswered_request():
    """Further requests do not extend the time."""
    tracker = tracker_of("core", alive_s=100)
    tracker.record_message("core", 1)
    for moment in (30, 60, 90):
        tracker.record_request(moment)
    assert tracker.next_expiry() == 101


def test_tracker_with_alive_s_below_the_interval_ignores_requests():
    """Only the latest message counts."""
    tracker = tracker_of("core", alive_s=10)
    tracker.record_message("core", 5)
    assert (tracker.pop_expired(14.9), tracker.pop_expired(15)) == ([], ["core"])


def test_tracker_restart_gives_every_component_its_full_time():
    """Expired components have their full time again, too."""
    tracker = tracker_of("core", "scheduler")
    tracker.record_message("core", 40)
    tracker.pop_expired(60)
    tracker.restart(100)
    tracker.record_request(100)
    assert tracker.next_expiry() == 145
    assert tracker.pop_expired(145) == ["core", "scheduler"]
