"""GitHub client: no request while a rate limit is in force."""

import asyncio
from datetime import timedelta

import github_faults as faults
import pytest
from release_fixture import REPOSITORY

from remote.releases.github import PAGE_ENTRIES
from remote.releases.response import RateLimitedError
from tests.support.manual_clock import START


@pytest.fixture(autouse=True)
def same_time(server, fixture):
    """The server uses the manual clock."""
    server.now = lambda: fixture.clock.utc().timestamp()


@pytest.mark.parametrize(
    ("fault", "wait_s"),
    [
        (faults.primary_limit(reset_in_s=600), 600),
        (faults.primary_limit(reset_in_s=600, status=429), 600),
        (faults.primary_limit(reset_in_s=10**8), 3600),
        (faults.secondary_limit(retry_after=90), 90),
        (faults.secondary_limit(retry_after=90, status=429), 90),
        (faults.secondary_limit(retry_after="Fri, 16 Jan 2026 10:32:00 GMT"), 120),
        (faults.secondary_limit(), 60),
        (faults.secondary_limit(status=429), 60),
    ],
)
def test_client_sends_nothing_until_a_rate_limit_ends(server, fixture, fault, wait_s):
    """The limit is respected by the next process, too; afterwards requests succeed."""
    server.publish(REPOSITORY, "1.0.0")
    server.inject(fault)
    again = f"{START + timedelta(seconds=wait_s):%Y-%m-%d %H:%M:%S} UTC"
    for _ in range(3):
        with pytest.raises(RateLimitedError, match=f"cannot check owner/app: .* the next one is sent after {again}"):
            fixture.list_tags()
    assert (len(server.requests), fixture.pauses) == (1, [])
    fixture.clock.sleep(wait_s - 1)
    with pytest.raises(RateLimitedError) as caught:
        fixture.list_tags()
    assert caught.value.retry_after_s == pytest.approx(1)
    fixture.clock.sleep(1)
    assert fixture.list_tags() == ["v1.0.0"]


def test_client_respects_a_rate_limit_for_all_repositories(server, fixture):
    """The limit applies to the server, not to a repository."""
    server.publish("owner/other", "1.0.0")
    server.inject(faults.primary_limit())
    for repository in (REPOSITORY, "owner/other"):
        with pytest.raises(RateLimitedError):
            fixture.list_tags(repository)
    assert len(server.requests) == 1


def test_client_respects_an_exhausted_quota_before_the_server_rejects(server, fixture):
    """The last response within the quota counts; then nothing is sent before the reset."""
    server.publish(REPOSITORY, "1.0.0")
    server.remaining = 1
    assert fixture.list_tags() == ["v1.0.0"]
    with pytest.raises(RateLimitedError):
        fixture.list_tags()
    assert server.statuses() == {200: 1}
    fixture.clock.sleep(1800)
    server.remaining = 60
    assert fixture.list_tags() == ["v1.0.0"]


def test_client_returns_no_partial_list_if_the_quota_ends_between_pages(server, fixture):
    """A partial list would hide the newest version."""
    for number in range(PAGE_ENTRIES + 1):
        server.publish(REPOSITORY, f"1.0.{number}")
    server.remaining = 1
    with pytest.raises(RateLimitedError):
        fixture.list_tags()
    assert server.statuses() == {200: 1}


def test_client_304_does_not_count_against_the_quota(server, fixture):
    """Unchanged pages can be requested with one request left."""
    server.publish(REPOSITORY, "1.0.0")
    fixture.list_tags()
    server.remaining = 1
    assert fixture.list_tags() == fixture.list_tags() == ["v1.0.0"]


def test_client_pauses_without_duration_grow_until_a_success(server, fixture):
    """A limit without a duration doubles the pause; a good response resets it."""
    server.publish(REPOSITORY, "1.0.0")
    waits = []
    for times in (3, 1):
        server.inject(faults.secondary_limit(), times=times)
        for _ in range(times):
            with pytest.raises(RateLimitedError) as caught:
                fixture.list_tags()
            waits.append(round(caught.value.retry_after_s))
            fixture.clock.sleep(caught.value.retry_after_s)
        fixture.list_tags()
    assert waits == [60, 120, 240, 60]


def test_client_stops_retries_when_a_rate_limit_begins(server, fixture):
    """A request that waits for its retry is not sent if another request has met a limit."""
    server.inject(faults.http_error(502, "Bad Gateway"))
    server.inject(faults.primary_limit())

    async def scenario():
        async with fixture.github() as github:

            async def meanwhile(_seconds):
                with pytest.raises(RateLimitedError):
                    await github.list_releases("owner/other")

            github._pause = meanwhile
            await github.list_releases(REPOSITORY)

    with pytest.raises(RateLimitedError):
        asyncio.run(scenario())
    assert server.statuses() == {502: 1, 403: 1}
