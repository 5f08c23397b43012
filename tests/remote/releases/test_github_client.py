"""Asking GitHub for releases."""

import asyncio

import github_faults as faults
import httpx
import pytest
from github_server import GitHubServer
from release_fixture import REPOSITORY, log

from remote.releases import github as github_module
from remote.releases.errors import (
    AnswerInvalidError,
    ServerFailedError,
    UnreachableError,
)
from remote.releases.github import ATTEMPTS, PAGE_ENTRIES, PAGES, REDIRECTS
from remote.releases.http_client import Wire


def publish(server, count, repository=REPOSITORY):
    """So many releases, and their tags as the server lists them."""
    for number in range(count):
        server.publish(repository, f"1.0.{number}")
    return [f"v1.0.{number}" for number in reversed(range(count))]


def test_all_releases_are_found(server, stage):
    """What is published is listed, with all that is told about it."""
    server.publish(REPOSITORY, "1.0.0", notes="# New\nall", prerelease=True)

    async def ask():
        async with stage.github() as github:
            return await github.releases(REPOSITORY)

    (entry,) = asyncio.run(ask())
    assert (entry.tag_name, entry.body, entry.prerelease, entry.draft) == ("v1.0.0", "# New\nall", True, False)
    assert entry.html_url == f"https://github.com/{REPOSITORY}/releases/tag/v1.0.0"
    assert entry.published_at.isoformat() == "2026-01-01T00:00:00+00:00"


def test_a_repository_without_releases_has_none(server, stage):
    """An empty list is an answer."""
    server.create(REPOSITORY)
    assert stage.ask() == []


def test_all_pages_are_read(server, stage):
    """The list goes on where the server says that it does, and ends where it does."""
    tags = publish(server, 2 * PAGE_ENTRIES + 1)
    assert stage.ask() == tags
    assert server.statuses() == {200: 3}


def test_the_server_learns_who_asks(server, stage):
    """Every question says which interface it wants, and who we are; nothing that could unpack to more is wanted."""
    publish(server, 1)
    stage.ask()
    headers = server.answers[0].headers
    assert headers["accept"] == "application/vnd.github+json"
    assert headers["x-github-api-version"] == "2022-11-28"
    assert headers["user-agent"] == "dunebugger-remote/1.2.3"
    assert headers["accept-encoding"] == "identity"
    assert "authorization" not in headers


def test_pages_are_bounded(server, stage):
    """A list without end is read up to a bound, and that is told."""
    tags = publish(server, 1)
    link = f'<{server.url}/repos/{REPOSITORY}/releases>; rel="next"'
    server.misbehave(faults.headers(Link=link), times=None)
    with log() as lines:
        assert stage.ask() == tags * PAGES
    assert len(server.answers) == PAGES
    assert lines == [f"{REPOSITORY} has more than {PAGES} pages of releases; the latest {PAGES} count"]


@pytest.mark.parametrize("link", ["nonsense", "<", '<>; rel="prev"', "; rel=next", '<x>; rel="last"', ",,,"])
def test_a_link_that_leads_nowhere_ends_the_list(server, stage, link):
    """A header without a next page means that there is none."""
    tags = publish(server, 1)
    server.misbehave(faults.headers(Link=link))
    assert stage.ask() == tags


@pytest.mark.parametrize(
    "target", ["//127.0.0.1:1/", "file:///etc/passwd", "https://127.0.0.1/", "http://[", "http://x:abc/"]
)
def test_a_page_elsewhere_is_not_asked_for(server, stage, target):
    """A next page on another host, at another port or of another kind is refused."""
    publish(server, 1)
    server.misbehave(faults.headers(Link=f'<{target}>; rel="next"'))
    with pytest.raises(AnswerInvalidError, match=r"cannot check owner/app: 127\.0\.0\.1 leads to '.*set releases.api"):
        stage.ask()
    assert len(server.answers) == 1


def test_the_token_is_sent(server, stage):
    """With a token, every question carries it."""
    server.token = stage.token = "secret"  # noqa: S105
    tags = publish(server, PAGE_ENTRIES + 1)
    assert stage.ask() == tags
    assert [answered.headers["authorization"] for answered in server.answers] == ["Bearer secret"] * 2


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_another_server_learns_nothing(server, stage, status):
    """Neither a redirect nor a next page takes a question, or the token, to another server."""
    stage.token = "secret"  # noqa: S105
    with GitHubServer() as other:
        publish(other, 1)
        server.misbehave(faults.redirect(f"{other.url}/repos/{REPOSITORY}/releases", status=status))
        with pytest.raises(AnswerInvalidError, match="leads to 'http://127"):
            stage.ask()
        assert other.answers == []


def test_the_token_is_for_one_server_alone(server, stage):
    """Even a question that did go to another server would not carry the token."""

    async def ask():
        wire = Wire(httpx.URL("https://api.example.org"), "secret", stage.state / "cache", timeout_s=10, version="1")
        await wire.get(httpx.URL(server.url))
        await wire.aclose()

    asyncio.run(ask())
    assert "authorization" not in server.answers[0].headers


def test_a_renamed_repository_is_found(server, stage):
    """A redirect within the server is followed, with the token, and so are the pages behind it."""
    server.token = stage.token = "secret"  # noqa: S105
    tags = publish(server, PAGE_ENTRIES + 1)
    server.rename(REPOSITORY, "owner/other")
    assert stage.ask() == tags
    assert server.statuses() == {301: 1, 200: 2}


def test_redirects_are_bounded(server, stage):
    """A redirect to itself ends."""
    server.misbehave(faults.redirect(f"/repos/{REPOSITORY}/releases"), times=None)
    with pytest.raises(AnswerInvalidError, match=f"redirected more than {REDIRECTS} times; does releases.api point"):
        stage.ask()
    assert len(server.answers) == REDIRECTS + 1


@pytest.mark.parametrize("fault", [faults.dropped(), faults.dropped_midway(), faults.refusal(502, "Bad Gateway")])
def test_a_mishap_is_tried_again(server, stage, fault):
    """A dropped connection, before or in the middle of the answer, and an ill server are asked again."""
    tags = publish(server, 1)
    server.misbehave(fault, times=ATTEMPTS - 1)
    assert stage.ask() == tags
    assert len(server.answers) == ATTEMPTS


def test_pauses_between_tries_grow(server, stage):
    """Between two tries there is a pause, longer every time and never the same."""
    server.misbehave(faults.dropped(), times=None)
    with pytest.raises(UnreachableError):
        stage.ask()
    assert [int(pause) for pause in stage.pauses] in ([1, 2, 4], [1, 2, 5], [1, 3, 4], [1, 3, 5], [2, 2, 4])
    assert len({pause % 1 for pause in stage.pauses}) == ATTEMPTS - 1


@pytest.mark.parametrize("fault", [faults.dropped(), faults.dropped_midway()])
def test_a_dropped_connection_is_told(server, stage, fault):
    """When every try fails, the last reason is told."""
    server.misbehave(fault, times=None)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 cannot be reached \('.*is this machine on the network"):
        stage.ask()
    assert len(server.answers) == ATTEMPTS


def test_an_ill_server_is_told(server, stage):
    """When the server stays ill, that is told."""
    server.misbehave(faults.refusal(503, "Unavailable"), times=None)
    with pytest.raises(ServerFailedError, match="at last with HTTP 503; wait until it is mended"):
        stage.ask()
    assert len(server.answers) == ATTEMPTS


def test_a_server_that_is_not_there_is_told(server, stage):
    """Where nobody listens, that is told."""
    server.close()
    with pytest.raises(UnreachableError, match="cannot be reached"):
        stage.ask()


def test_a_slow_answer_is_given_up_and_asked_for_again(server, stage):
    """An answer that does not come in time is asked for again."""
    stage.settings["timeout_s"] = 0.5
    tags = publish(server, 1)
    server.misbehave(faults.slow(3600))
    assert stage.ask() == tags


def test_slow_answers_are_told(server, stage):
    """When no answer comes in time, that is told with the time."""
    stage.settings["timeout_s"] = 0.1
    server.misbehave(faults.slow(3600), times=None)
    with pytest.raises(UnreachableError, match=r"cannot be reached \('\w+Timeout after 0.1 s'\)"):
        stage.ask()


def test_an_answer_that_never_ends_is_given_up(server, stage, monkeypatch):
    """A server that sends a little all the time does not hold us for ever."""
    monkeypatch.setattr(github_module, "OVERALL", 0.05)
    server.misbehave(faults.trickling(0.01), times=None)
    with pytest.raises(UnreachableError, match=r"gave no complete answer within 0.5 s; .*raise releases.timeout_s"):
        stage.ask()


def test_a_cancelled_question_leaves_nothing_broken(server, stage):
    """Who stops waiting can ask again at once, and whoever asks beside is not disturbed."""
    tags = publish(server, 1)
    server.misbehave(faults.slow(3600))

    async def ask():
        async with stage.github() as github:
            cancelled = asyncio.create_task(github.releases(REPOSITORY))
            await asyncio.to_thread(server.wait_for, 1)
            beside = asyncio.create_task(github.releases(REPOSITORY))
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            assert [entry.tag_name for entry in await github.releases(REPOSITORY)] == tags
            return [entry.tag_name for entry in await beside]

    assert asyncio.run(ask()) == tags


def test_a_question_cancelled_at_the_start_leaves_nothing_open(server, stage):
    """Stopping while the cache is being opened loses nothing that would have to be closed."""
    tags = publish(server, 1)

    async def ask():
        async with stage.github() as github:
            question = asyncio.create_task(github.releases(REPOSITORY))
            await asyncio.sleep(0)
            question.cancel()
            with pytest.raises(asyncio.CancelledError):
                await question
            return [entry.tag_name for entry in await github.releases(REPOSITORY)]

    assert asyncio.run(ask()) == tags
