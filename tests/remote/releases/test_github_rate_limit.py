"""Rate limits: parsing, durations and persistence."""

import errno
from datetime import UTC, datetime, timedelta

import pytest
from release_fixture import captured_log

from remote.releases import github_rate_limit as rate_limit_module
from remote.releases.github_rate_limit import PAUSE_S, WINDOW_S, RateLimit, RateLimitTracker, parse_rate_limit
from tests.support.manual_clock import START, ManualClock

DATE = "Fri, 16 Jan 2026 10:30:00 GMT"  # START
OTHER_TIME = datetime(1999, 1, 1, tzinfo=UTC)
EPOCH = int(START.timestamp())
SECONDARY = "You have exceeded a secondary rate limit."


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


def test_tracker_allows_requests_after_the_limit(tmp_path):
    """No request is allowed before the end of the limit; all are allowed after it."""
    clock = ManualClock()
    tracker = RateLimitTracker(tmp_path / "limit.json", clock)
    assert tracker.wait_s() == 0
    tracker.record_limit(RateLimit(90))
    assert (tracker.wait_s(), tracker.allowed_at()) == (90, START + timedelta(seconds=90))
    clock.sleep(89)
    assert tracker.wait_s() == 1
    clock.sleep(1)
    assert tracker.wait_s() == 0


def test_tracker_keeps_the_longest_limit(tmp_path):
    """A shorter limit does not end a longer one."""
    tracker = RateLimitTracker(tmp_path / "limit.json", ManualClock())
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


def test_tracker_doubles_pauses_without_duration(tmp_path):
    """A minute, then twice as long each time, up to an hour."""
    clock = ManualClock()
    tracker = RateLimitTracker(tmp_path / "limit.json", clock)
    assert pauses_without_duration(tracker, clock, 8) == [60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_tracker_bounds_pauses_after_many_limits(tmp_path):
    """A saved count of 5000 does not overflow: the pause is an hour."""
    (tmp_path / "limit.json").write_text('{"until": "2026-01-16T10:00:00Z", "pauses": 5000}')
    clock = ManualClock()
    assert pauses_without_duration(RateLimitTracker(tmp_path / "limit.json", clock), clock, 1) == [WINDOW_S]


def test_tracker_counts_limits_of_concurrent_requests_once(tmp_path):
    """Several rejections at the same time do not double the pause."""
    tracker = RateLimitTracker(tmp_path / "limit.json", ManualClock())
    for _ in range(3):
        tracker.record_limit(RateLimit(None))
    assert tracker.wait_s() == PAUSE_S


def test_tracker_resets_pauses_after_a_success(tmp_path):
    """The reset also applies to the next process."""
    clock = ManualClock()
    tracker = RateLimitTracker(tmp_path / "limit.json", clock)
    pauses_without_duration(tracker, clock, 3)
    tracker.record_success()
    assert pauses_without_duration(RateLimitTracker(tmp_path / "limit.json", clock), clock, 1) == [PAUSE_S]
    assert pauses_without_duration(tracker, clock, 1) == [PAUSE_S]


def test_tracker_restores_the_limit_after_a_restart(tmp_path):
    """The next process respects the limit and continues to double the pause."""
    clock = ManualClock()
    pauses_without_duration(RateLimitTracker(tmp_path / "limit.json", clock), clock, 2)
    RateLimitTracker(tmp_path / "limit.json", clock).record_limit(RateLimit(None))
    clock.sleep(100)
    assert RateLimitTracker(tmp_path / "limit.json", clock).wait_s() == 140


@pytest.mark.parametrize(("jump", "wait_s"), [(-timedelta(days=300), 0), (timedelta(days=300), 0)])
def test_tracker_ignores_a_saved_limit_after_a_clock_jump(tmp_path, jump, wait_s):
    """A saved limit of much more than an hour, or one long past, is ignored."""
    RateLimitTracker(tmp_path / "limit.json", ManualClock()).record_limit(RateLimit(600))
    jumped = ManualClock()
    jumped.utc = lambda: START + jump
    assert RateLimitTracker(tmp_path / "limit.json", jumped).wait_s() == wait_s


@pytest.mark.parametrize("jump", [-timedelta(days=300), timedelta(days=300)])
def test_tracker_uses_the_monotonic_clock_within_a_process(tmp_path, jump):
    """A jump of the wall clock does not change the remaining time."""
    clock = ManualClock()
    tracker = RateLimitTracker(tmp_path / "limit.json", clock)
    tracker.record_limit(RateLimit(600))
    clock.utc = lambda: START + jump
    assert tracker.wait_s() == 600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"until": "never", "pauses": 0}', b"\xff", b'{"pauses": 1}'])
def test_tracker_ignores_an_invalid_file(tmp_path, content):
    """An unreadable file is logged, and requests are allowed."""
    (tmp_path / "limit.json").write_bytes(content)
    with captured_log() as lines:
        assert RateLimitTracker(tmp_path / "limit.json", ManualClock()).wait_s() == 0
    assert lines == [f"cannot read the rate limit in {tmp_path}/limit.json: invalid content; ignoring it"]


def test_tracker_respects_a_limit_that_cannot_be_saved(tmp_path, monkeypatch):
    """A full disk is logged, and the limit is respected in this process."""

    def disk_full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rate_limit_module, "write_atomic", disk_full)
    tracker = RateLimitTracker(tmp_path / "limit.json", ManualClock())
    with captured_log() as lines:
        tracker.record_limit(RateLimit(90))
    assert lines == [f"cannot save the rate limit in {tmp_path}/limit.json: No space left on device"]
    assert tracker.wait_s() == 90
