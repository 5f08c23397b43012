"""Rate limits: parsing, durations and persistence."""

from datetime import UTC, datetime, timedelta

import pytest
from release_fixture import captured_log

from remote.releases.github_rate_limit import PAUSE_S, WINDOW_S, RateLimit, RateLimitTracker, parse_rate_limit
from remote.state_database import StoreError
from remote.store import StateStore
from tests.support.manual_clock import START, ManualClock

DATE = "Fri, 16 Jan 2026 10:30:00 GMT"  # START
OTHER_TIME = datetime(1999, 1, 1, tzinfo=UTC)
EPOCH = int(START.timestamp())
SECONDARY = "You have exceeded a secondary rate limit."


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    opened = StateStore(tmp_path / "state.sqlite", history=10)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("status", "headers", "message", "wait_s"),
    [
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 600)}, "", 600),
        (429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 600)}, "", 600),
        (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 600)}, "", 600),
        (403, {"retry-after": "90"}, "", 90),
        (429, {"retry-after": "90"}, "", 90),
        (403, {"retry-after": "Fri, 16 Jan 2026 10:32:00 GMT"}, "", 120),
        (403, {"retry-after": "90", "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 600)}, "", 90),
        (403, {}, SECONDARY, None),
        (429, {}, "", None),
        (403, {"x-ratelimit-remaining": "0"}, "", None),
        (403, {"retry-after": "soon"}, "", None),
        (403, {"retry-after": "٣"}, "", None),
        (403, {"retry-after": "9" * 5000}, "", None),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" * 400}, "", None),
        (403, {"retry-after": "Fri, 99 Jan 2026 10:32:00 GMT"}, "", None),
        (429, {"retry-after": "0"}, "", None),
        (429, {"retry-after": "Fri, 16 Jan 2026 10:29:00 GMT"}, "", None),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH - 1)}, "", None),
    ],
)
def test_rate_limit_duration_is_parsed(status, headers, message, wait_s):
    """The duration is relative to the server's date; an unreadable one is None."""
    assert parse_rate_limit(status, {"date": DATE, **headers}, message, OTHER_TIME) == RateLimit(wait_s)


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": str(10**9)},
        {"retry-after": "Fri, 16 Jan 2099 10:30:00 GMT"},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 10**8)},
    ],
)
def test_rate_limit_duration_is_bounded(headers):
    """GitHub's window is an hour: a longer duration is reduced to an hour."""
    assert parse_rate_limit(403, {"date": DATE, **headers}, "", OTHER_TIME) == RateLimit(WINDOW_S)


@pytest.mark.parametrize("date", [{}, {"date": "yesterday"}])
def test_rate_limit_without_a_date_header_uses_the_local_clock(date):
    """Without a readable ``Date``, the duration counts from now."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 600)}
    assert parse_rate_limit(403, date | headers, "", START) == RateLimit(600)


@pytest.mark.parametrize(
    ("status", "headers", "message"),
    [
        (200, {"x-ratelimit-remaining": "59", "x-ratelimit-reset": str(EPOCH + 600)}, ""),
        (200, {}, SECONDARY),
        (200, {"retry-after": "90"}, ""),
        (200, {"x-ratelimit-remaining": "0"}, ""),
        (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH - 1)}, ""),
        (403, {"x-ratelimit-remaining": "59"}, "Resource not accessible by personal access token"),
        (404, {}, SECONDARY),
    ],
)
def test_rate_limit_is_not_detected_in_other_responses(status, headers, message):
    """A good response, or another kind of error, is not a rate limit."""
    assert parse_rate_limit(status, {"date": DATE, **headers}, message, OTHER_TIME) is None


def test_tracker_allows_requests_after_the_limit(store):
    """No request is allowed before the end of the limit; all are allowed after it."""
    clock = ManualClock()
    tracker = RateLimitTracker(store, clock)
    assert tracker.wait_s() == 0
    tracker.record_limit(RateLimit(90))
    assert (tracker.wait_s(), tracker.allowed_at()) == (90, START + timedelta(seconds=90))
    clock.sleep(89)
    assert tracker.wait_s() == 1
    clock.sleep(1)
    assert tracker.wait_s() == 0


def test_tracker_keeps_the_longest_limit(store):
    """A shorter limit does not end a longer one."""
    tracker = RateLimitTracker(store, ManualClock())
    tracker.record_limit(RateLimit(90))
    tracker.record_limit(RateLimit(30))
    tracker.record_limit(RateLimit(None))
    assert tracker.wait_s() == 90


def pauses_without_duration(tracker, clock, times):
    """The pauses after limits without a duration, each after the end of the previous one."""
    pauses = []
    for _ in range(times):
        tracker.record_limit(RateLimit(None))
        pauses.append(tracker.wait_s())
        clock.sleep(tracker.wait_s())
    return pauses


def test_tracker_doubles_pauses_without_duration(store):
    """A minute, then twice as long each time, up to an hour."""
    clock = ManualClock()
    tracker = RateLimitTracker(store, clock)
    assert pauses_without_duration(tracker, clock, 8) == [60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_tracker_bounds_pauses_after_many_limits(store):
    """A saved count of 5000 does not overflow: the pause is an hour."""
    store.save_rate_limit('{"until": "2026-01-16T10:00:00Z", "pauses": 5000}')
    clock = ManualClock()
    assert pauses_without_duration(RateLimitTracker(store, clock), clock, 1) == [WINDOW_S]


def test_tracker_counts_limits_of_concurrent_requests_once(store):
    """Several rejections at the same time do not double the pause."""
    tracker = RateLimitTracker(store, ManualClock())
    for _ in range(3):
        tracker.record_limit(RateLimit(None))
    assert tracker.wait_s() == PAUSE_S


def test_tracker_resets_pauses_after_a_success(store):
    """The reset also applies to the next process."""
    clock = ManualClock()
    tracker = RateLimitTracker(store, clock)
    pauses_without_duration(tracker, clock, 3)
    tracker.record_success()
    assert pauses_without_duration(RateLimitTracker(store, clock), clock, 1) == [PAUSE_S]
    assert pauses_without_duration(tracker, clock, 1) == [PAUSE_S]


def test_tracker_restores_the_limit_after_a_restart(store):
    """The next process respects the limit and continues to double the pause."""
    clock = ManualClock()
    pauses_without_duration(RateLimitTracker(store, clock), clock, 2)
    RateLimitTracker(store, clock).record_limit(RateLimit(None))
    clock.sleep(100)
    assert RateLimitTracker(store, clock).wait_s() == 140


@pytest.mark.parametrize(("jump", "wait_s"), [(-timedelta(days=300), 0), (timedelta(days=300), 0)])
def test_tracker_ignores_a_saved_limit_after_a_clock_jump(store, jump, wait_s):
    """A saved limit of much more than an hour, or one long past, is ignored."""
    RateLimitTracker(store, ManualClock()).record_limit(RateLimit(600))
    jumped = ManualClock()
    jumped.utc = lambda: START + jump
    assert RateLimitTracker(store, jumped).wait_s() == wait_s


@pytest.mark.parametrize("jump", [-timedelta(days=300), timedelta(days=300)])
def test_tracker_uses_the_monotonic_clock_within_a_process(store, jump):
    """A jump of the wall clock does not change the remaining time."""
    clock = ManualClock()
    tracker = RateLimitTracker(store, clock)
    tracker.record_limit(RateLimit(600))
    clock.utc = lambda: START + jump
    assert tracker.wait_s() == 600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"until": "never", "pauses": 0}', '{"pauses": 1}'])
def test_tracker_ignores_an_invalid_record(store, content):
    """An unreadable record is logged, and requests are allowed."""
    store.save_rate_limit(content)
    with captured_log() as lines:
        assert RateLimitTracker(store, ManualClock()).wait_s() == 0
    assert lines == ["cannot read the saved rate limit: invalid content; ignoring it"]


def broken(*_):
    """A store that cannot be used."""
    raise StoreError("cannot use state.sqlite: disk full")


def test_tracker_allows_requests_when_the_store_cannot_be_read(store, monkeypatch):
    """A store that cannot be read is logged, and requests are allowed."""
    monkeypatch.setattr(store, "saved_rate_limit", broken)
    with captured_log() as lines:
        assert RateLimitTracker(store, ManualClock()).wait_s() == 0
    assert lines == ["cannot read the saved rate limit: cannot use state.sqlite: disk full; ignoring it"]


def test_tracker_respects_a_limit_that_cannot_be_saved(store, monkeypatch):
    """A full disk is logged, and the limit is respected in this process."""
    monkeypatch.setattr(store, "save_rate_limit", broken)
    tracker = RateLimitTracker(store, ManualClock())
    with captured_log() as lines:
        tracker.record_limit(RateLimit(90))
    assert lines == ["cannot save the rate limit: cannot use state.sqlite: disk full"]
    assert tracker.wait_s() == 90
