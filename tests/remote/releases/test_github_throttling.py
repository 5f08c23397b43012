"""Leaving GitHub alone while it asks for that."""

import asyncio
from datetime import timedelta

import github_faults as faults
import pytest
from hand_clock import START
from release_fixture import REPOSITORY

from remote.releases.errors import RateLimitedError
from remote.releases.github import PAGE_ENTRIES


@pytest.fixture(autouse=True)
def same_time(server, stage):
    """The server's clock goes with ours."""
    server.now = lambda: stage.clock.utc().timestamp()


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
def test_nothing_is_asked_until_a_limit_is_over(server, stage, fault, wait_s):
    """After a refusal for a limit nobody asks anything before its end, not even the next process; then one may."""
    server.publish(REPOSITORY, "1.0.0")
    server.misbehave(fault)
    again = f"{START + timedelta(seconds=wait_s):%Y-%m-%d %H:%M:%S} UTC"
    for _ in range(3):
        with pytest.raises(RateLimitedError, match=f"cannot check owner/app: .* it is asked again after {again}"):
            stage.ask()
    assert (len(server.answers), stage.pauses) == (1, [])
    stage.clock.sleep(wait_s - 1)
    with pytest.raises(RateLimitedError) as caught:
        stage.ask()
    assert caught.value.again_in_s == pytest.approx(1)
    stage.clock.sleep(1)
    assert stage.ask() == ["v1.0.0"]


def test_a_limit_holds_for_all_repositories(server, stage):
    """A limit is the server's, not a repository's."""
    server.publish("owner/other", "1.0.0")
    server.misbehave(faults.primary_limit())
    for repository in (REPOSITORY, "owner/other"):
        with pytest.raises(RateLimitedError):
            stage.ask(repository)
    assert len(server.answers) == 1


def test_a_used_up_quota_is_respected_before_the_server_refuses(server, stage):
    """The last answer of a quota counts, and after it nothing is asked before the server's reset."""
    server.publish(REPOSITORY, "1.0.0")
    server.remaining = 1
    assert stage.ask() == ["v1.0.0"]
    with pytest.raises(RateLimitedError):
        stage.ask()
    assert server.statuses() == {200: 1}
    stage.clock.sleep(1800)
    server.remaining = 60
    assert stage.ask() == ["v1.0.0"]


def test_a_quota_may_end_between_two_pages(server, stage):
    """Half a list is no answer."""
    for number in range(PAGE_ENTRIES + 1):
        server.publish(REPOSITORY, f"1.0.{number}")
    server.remaining = 1
    with pytest.raises(RateLimitedError):
        stage.ask()
    assert server.statuses() == {200: 1}


def test_a_304_uses_up_nothing(server, stage):
    """Asking again where nothing changed leaves the quota as it is."""
    server.publish(REPOSITORY, "1.0.0")
    stage.ask()
    server.remaining = 1
    assert stage.ask() == stage.ask() == ["v1.0.0"]


def test_pauses_grow_until_an_answer_comes(server, stage):
    """Limits that do not say how long are waited for longer every time; a good answer ends that."""
    server.publish(REPOSITORY, "1.0.0")
    waits = []
    for times in (3, 1):
        server.misbehave(faults.secondary_limit(), times=times)
        for _ in range(times):
            with pytest.raises(RateLimitedError) as caught:
                stage.ask()
            waits.append(round(caught.value.again_in_s))
            stage.clock.sleep(caught.value.again_in_s)
        stage.ask()
    assert waits == [60, 120, 240, 60]


def test_a_limit_stops_the_tries_of_others(server, stage):
    """Whoever waits to try again after a mishap does not, when a limit came in between."""
    server.misbehave(faults.refusal(502, "Bad Gateway"))
    server.misbehave(faults.primary_limit())

    async def ask():
        async with stage.github() as github:

            async def meanwhile(_seconds):
                with pytest.raises(RateLimitedError):
                    await github.releases("owner/other")

            github._pause = meanwhile
            await github.releases(REPOSITORY)

    with pytest.raises(RateLimitedError):
        asyncio.run(ask())
    assert server.statuses() == {502: 1, 403: 1}
