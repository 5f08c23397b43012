"""When the server may be asked again."""

import errno
from datetime import UTC, datetime, timedelta

import pytest
from hand_clock import START, HandClock
from release_fixture import log

from remote.releases import github_rate_limit as quota_module
from remote.releases.github_rate_limit import PAUSE_S, WINDOW_S, Limit, Quota, limit_in

DATE = "Fri, 16 Jan 2026 10:30:00 GMT"  # START
ELSEWHEN = datetime(1999, 1, 1, tzinfo=UTC)
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
def test_a_limit_says_how_long(status, headers, message, wait_s):
    """A limit is read as the seconds from the server's date to when it ends, or as one that does not say."""
    assert limit_in(status, {"date": DATE, **headers}, message, ELSEWHEN) == Limit(wait_s)


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": str(10**9)},
        {"retry-after": "Fri, 16 Jan 2099 10:30:00 GMT"},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 10**8)},
    ],
)
def test_no_limit_is_longer_than_the_window(headers):
    """A wait beyond the hour by which GitHub counts is not believed, but cut to that."""
    assert limit_in(403, {"date": DATE, **headers}, "", ELSEWHEN) == Limit(WINDOW_S)


@pytest.mark.parametrize("date", [{}, {"date": "yesterday"}])
def test_without_the_servers_date_our_clock_counts(date):
    """Where the answer has no readable date, the wait is from now."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 600)}
    assert limit_in(403, date | headers, "", START) == Limit(600)


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
def test_other_answers_tell_of_no_limit(status, headers, message):
    """A good answer, or a refusal of another kind, is no rate limit."""
    assert limit_in(status, {"date": DATE, **headers}, message, ELSEWHEN) is None


def test_a_limit_ends(tmp_path):
    """Until the time is over nothing may be asked, from then on it may."""
    clock = HandClock()
    quota = Quota(tmp_path / "limit.json", clock)
    assert quota.wait_s() == 0
    quota.note(Limit(90))
    assert (quota.wait_s(), quota.again_at()) == (90, START + timedelta(seconds=90))
    clock.sleep(89)
    assert quota.wait_s() == 1
    clock.sleep(1)
    assert quota.wait_s() == 0


def test_a_shorter_limit_does_not_end_a_longer_one(tmp_path):
    """Of several limits the last to end counts."""
    quota = Quota(tmp_path / "limit.json", HandClock())
    quota.note(Limit(90))
    quota.note(Limit(30))
    quota.note(Limit(None))
    assert quota.wait_s() == 90


def untold(quota, clock, times):
    """The pauses after limits that do not say how long, each when the one before is over."""
    pauses = []
    for _ in range(times):
        quota.note(Limit(None))
        pauses.append(quota.wait_s())
        clock.sleep(quota.wait_s())
    return pauses


def test_pauses_grow(tmp_path):
    """Without a given length a pause is a minute, then twice as long every time, up to an hour."""
    clock = HandClock()
    quota = Quota(tmp_path / "limit.json", clock)
    assert untold(quota, clock, 8) == [60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_pauses_stay_bounded(tmp_path):
    """However often limits came before, the next pause is an hour."""
    (tmp_path / "limit.json").write_text('{"until": "2026-01-16T10:00:00Z", "pauses": 5000}')
    clock = HandClock()
    assert untold(Quota(tmp_path / "limit.json", clock), clock, 1) == [WINDOW_S]


def test_questions_beside_each_other_meet_one_limit(tmp_path):
    """Several refusals of one moment make one pause, not a growing one."""
    quota = Quota(tmp_path / "limit.json", HandClock())
    for _ in range(3):
        quota.note(Limit(None))
    assert quota.wait_s() == PAUSE_S


def test_a_good_answer_ends_the_growing(tmp_path):
    """After a good answer the next pause is a short one again, also for the next process."""
    clock = HandClock()
    quota = Quota(tmp_path / "limit.json", clock)
    untold(quota, clock, 3)
    quota.granted()
    assert untold(Quota(tmp_path / "limit.json", clock), clock, 1) == [PAUSE_S]
    assert untold(quota, clock, 1) == [PAUSE_S]


def test_a_limit_outlives_the_process(tmp_path):
    """The next process keeps to the limit, and goes on with the growing."""
    clock = HandClock()
    untold(Quota(tmp_path / "limit.json", clock), clock, 2)
    Quota(tmp_path / "limit.json", clock).note(Limit(None))
    clock.sleep(100)
    assert Quota(tmp_path / "limit.json", clock).wait_s() == 140


@pytest.mark.parametrize(("jump", "wait_s"), [(-timedelta(days=300), 0), (timedelta(days=300), 0)])
def test_a_limit_is_not_believed_after_the_clock_jumped(tmp_path, jump, wait_s):
    """What would have to be waited for much longer than an hour, or is long past, is no limit for the next process."""
    Quota(tmp_path / "limit.json", HandClock()).note(Limit(600))
    jumped = HandClock()
    jumped.utc = lambda: START + jump
    assert Quota(tmp_path / "limit.json", jumped).wait_s() == wait_s


@pytest.mark.parametrize("jump", [-timedelta(days=300), timedelta(days=300)])
def test_a_jump_of_the_clock_does_not_move_a_limit(tmp_path, jump):
    """Within one process a limit lasts as long as it was to last, whatever the wall clock says."""
    clock = HandClock()
    quota = Quota(tmp_path / "limit.json", clock)
    quota.note(Limit(600))
    clock.utc = lambda: START + jump
    assert quota.wait_s() == 600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"until": "never", "pauses": 0}', b"\xff", b'{"pauses": 1}'])
def test_a_torn_file_is_no_limit(tmp_path, content):
    """A file that cannot be read is told, and nothing is waited for."""
    (tmp_path / "limit.json").write_bytes(content)
    with log() as lines:
        assert Quota(tmp_path / "limit.json", HandClock()).wait_s() == 0
    assert lines == [f"cannot read the rate limit in {tmp_path}/limit.json: it holds something else; asking anyway"]


def test_a_limit_holds_where_it_cannot_be_kept(tmp_path, monkeypatch):
    """With a full disk the limit is told not to be remembered, and kept to all the same."""

    def refuse(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(quota_module, "write_atomic", refuse)
    quota = Quota(tmp_path / "limit.json", HandClock())
    with log() as lines:
        quota.note(Limit(90))
    assert lines == [f"cannot remember the rate limit in {tmp_path}/limit.json: No space left on device"]
    assert quota.wait_s() == 90
