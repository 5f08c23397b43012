"""GitHub client: pages, redirects, retries, timeouts and the token."""

import asyncio

import github_faults as faults
import httpx
import pytest
from github_server import GitHubServer
from release_fixture import REPOSITORY, captured_log

from remote.releases import github as github_module
from remote.releases.github import MAX_ATTEMPTS, MAX_PAGES, MAX_REDIRECTS, PAGE_ENTRIES
from remote.releases.http_client import HttpClient
from remote.releases.response import (
    InvalidResponseError,
    ServerFailedError,
    UnreachableError,
)


def publish(server, count, repository=REPOSITORY):
    """Publish ``count`` releases; return their tags in the server's order."""
    for number in range(count):
        server.publish(repository, f"1.0.{number}")
    return [f"v1.0.{number}" for number in reversed(range(count))]


def test_client_returns_all_fields_of_a_release(server, fixture):
    """Tag, notes, flags, URL and date are returned."""
    server.publish(REPOSITORY, "1.0.0", notes="# New\nall", prerelease=True)

    async def scenario():
        async with fixture.github() as github:
            return await github.list_releases(REPOSITORY)

    (entry,) = asyncio.run(scenario())
    assert (entry.tag_name, entry.body, entry.prerelease, entry.draft) == ("v1.0.0", "# New\nall", True, False)
    assert entry.html_url == f"https://github.com/{REPOSITORY}/releases/tag/v1.0.0"
    assert entry.published_at.isoformat() == "2026-01-01T00:00:00+00:00"


def test_client_returns_an_empty_list_for_a_repository_without_releases(server, fixture):
    """An empty list is a valid answer."""
    server.create(REPOSITORY)
    assert fixture.list_tags() == []


def test_client_reads_all_pages(server, fixture):
    """The ``Link`` header names the next page."""
    tags = publish(server, 2 * PAGE_ENTRIES + 1)
    assert fixture.list_tags() == tags
    assert server.statuses() == {200: 3}


def test_client_sends_api_version_and_user_agent(server, fixture):
    """Compressed responses are not accepted: they could expand beyond the limit."""
    publish(server, 1)
    fixture.list_tags()
    headers = server.requests[0].headers
    assert headers["accept"] == "application/vnd.github+json"
    assert headers["x-github-api-version"] == "2022-11-28"
    assert headers["user-agent"] == "dunebugger-remote/1.2.3"
    assert headers["accept-encoding"] == "identity"
    assert "authorization" not in headers


def test_client_stops_after_the_maximum_of_pages(server, fixture):
    """An endless list is read up to the limit, and a warning is logged."""
    tags = publish(server, 1)
    link = f'<{server.url}/repos/{REPOSITORY}/releases>; rel="next"'
    server.inject(faults.headers(Link=link), times=None)
    with captured_log() as lines:
        assert fixture.list_tags() == tags * MAX_PAGES
    assert len(server.requests) == MAX_PAGES
    assert lines == [f"{REPOSITORY} has more than {MAX_PAGES} pages of releases; only the latest {MAX_PAGES} count"]


@pytest.mark.parametrize("link", ["nonsense", "<", '<>; rel="prev"', "; rel=next", '<x>; rel="last"', ",,,"])
def test_client_ignores_links_without_a_next_page(server, fixture, link):
    """A malformed ``Link`` header means that this is the last page."""
    tags = publish(server, 1)
    server.inject(faults.headers(Link=link))
    assert fixture.list_tags() == tags


@pytest.mark.parametrize(
    "target", ["//127.0.0.1:1/", "file:///etc/passwd", "https://127.0.0.1/", "http://[", "http://x:abc/"]
)
def test_client_does_not_follow_pages_on_another_server(server, fixture, target):
    """A next page with another host, port or scheme is rejected."""
    publish(server, 1)
    server.inject(faults.headers(Link=f'<{target}>; rel="next"'))
    with pytest.raises(InvalidResponseError, match=r"owner/app: 127\.0\.0\.1 refers to '.*set releases.api"):
        fixture.list_tags()
    assert len(server.requests) == 1


def test_client_sends_the_token_with_each_request(server, fixture):
    """Each page is requested with the token."""
    server.token = fixture.token = "secret"  # noqa: S105
    tags = publish(server, PAGE_ENTRIES + 1)
    assert fixture.list_tags() == tags
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer secret"] * 2


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_client_does_not_follow_redirects_to_another_server(server, fixture, status):
    """Another server receives neither a request nor the token."""
    fixture.token = "secret"  # noqa: S105
    with GitHubServer() as other:
        publish(other, 1)
        server.inject(faults.redirect(f"{other.url}/repos/{REPOSITORY}/releases", status=status))
        with pytest.raises(InvalidResponseError, match="refers to 'http://127"):
            fixture.list_tags()
        assert other.requests == []


def test_client_sends_the_token_to_its_own_server_only(server, fixture):
    """A request to another server would not contain the token."""

    async def scenario():
        client = HttpClient(
            httpx.URL("https://api.example.org"), "secret", fixture.state / "cache", timeout_s=10, version="1"
        )
        await client.get(httpx.URL(server.url))
        await client.aclose()

    asyncio.run(scenario())
    assert "authorization" not in server.requests[0].headers


def test_client_follows_redirects_of_renamed_repositories(server, fixture):
    """A redirect within the server is followed with the token, also for further pages."""
    server.token = fixture.token = "secret"  # noqa: S105
    tags = publish(server, PAGE_ENTRIES + 1)
    server.rename(REPOSITORY, "owner/other")
    assert fixture.list_tags() == tags
    assert server.statuses() == {301: 1, 200: 2}


def test_client_stops_after_the_maximum_of_redirects(server, fixture):
    """A redirect loop is an error."""
    server.inject(faults.redirect(f"/repos/{REPOSITORY}/releases"), times=None)
    with pytest.raises(InvalidResponseError, match=f"redirected more than {MAX_REDIRECTS} times; does releases.api"):
        fixture.list_tags()
    assert len(server.requests) == MAX_REDIRECTS + 1


@pytest.mark.parametrize("fault", [faults.dropped(), faults.dropped_midway(), faults.http_error(502, "Bad Gateway")])
def test_client_retries_transient_errors(server, fixture, fault):
    """A connection that drops before or within the response, and a 5xx, are retried."""
    tags = publish(server, 1)
    server.inject(fault, times=MAX_ATTEMPTS - 1)
    assert fixture.list_tags() == tags
    assert len(server.requests) == MAX_ATTEMPTS


def test_client_pauses_grow_between_attempts(server, fixture):
    """Exponential back-off with jitter."""
    server.inject(faults.dropped(), times=None)
    with pytest.raises(UnreachableError):
        fixture.list_tags()
    assert [int(pause) for pause in fixture.pauses] in ([1, 2, 4], [1, 2, 5], [1, 3, 4], [1, 3, 5], [2, 2, 4])
    assert len({pause % 1 for pause in fixture.pauses}) == MAX_ATTEMPTS - 1


@pytest.mark.parametrize("fault", [faults.dropped(), faults.dropped_midway()])
def test_client_reports_dropped_connections(server, fixture, fault):
    """After the last attempt, the error names the last reason."""
    server.inject(fault, times=None)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 cannot be reached \('.*is this machine on the network"):
        fixture.list_tags()
    assert len(server.requests) == MAX_ATTEMPTS


def test_client_reports_repeated_server_errors(server, fixture):
    """After the last attempt, the error names the status."""
    server.inject(faults.http_error(503, "Unavailable"), times=None)
    with pytest.raises(ServerFailedError, match="the last time with HTTP 503; wait until the server works again"):
        fixture.list_tags()
    assert len(server.requests) == MAX_ATTEMPTS


def test_client_reports_a_refused_connection(server, fixture):
    """A closed port is an error."""
    server.close()
    with pytest.raises(UnreachableError, match="cannot be reached"):
        fixture.list_tags()


def test_client_retries_after_a_timeout(server, fixture):
    """A request without a response in time is sent again."""
    fixture.settings["timeout_s"] = 0.5
    tags = publish(server, 1)
    server.inject(faults.slow(3600))
    assert fixture.list_tags() == tags


def test_client_reports_timeouts(server, fixture, monkeypatch):
    """The error names the time limit of a request; the total limit is too long to be reached on a busy machine."""
    monkeypatch.setattr(github_module, "TOTAL_TIMEOUTS", 6000)
    fixture.settings["timeout_s"] = 0.1
    server.inject(faults.slow(3600), times=None)
    with pytest.raises(UnreachableError, match=r"cannot be reached \('\w+Timeout after 0.1 s'\)"):
        fixture.list_tags()


def test_client_limits_the_total_time(server, fixture, monkeypatch):
    """A server that sends single bytes forever does not block the client."""
    monkeypatch.setattr(github_module, "TOTAL_TIMEOUTS", 0.05)
    server.inject(faults.trickling(0.01), times=None)
    with pytest.raises(UnreachableError, match=r"sent no complete response within 0.5 s; .*raise releases.timeout_s"):
        fixture.list_tags()


def test_client_cancelled_request_does_not_affect_others(server, fixture):
    """After a cancellation, a new request and a concurrent one succeed."""
    tags = publish(server, 1)
    server.inject(faults.slow(3600))

    async def scenario():
        async with fixture.github() as github:
            cancelled = asyncio.create_task(github.list_releases(REPOSITORY))
            await asyncio.to_thread(server.wait_for, 1)
            concurrent = asyncio.create_task(github.list_releases(REPOSITORY))
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            assert [entry.tag_name for entry in await github.list_releases(REPOSITORY)] == tags
            return [entry.tag_name for entry in await concurrent]

    assert asyncio.run(scenario()) == tags


def test_client_cancelled_while_the_cache_opens_leaks_nothing(server, fixture):
    """A request cancelled while the cache opens leaves no open file."""
    tags = publish(server, 1)

    async def scenario():
        async with fixture.github() as github:
            request = asyncio.create_task(github.list_releases(REPOSITORY))
            await asyncio.sleep(0)
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
            return [entry.tag_name for entry in await github.list_releases(REPOSITORY)]

    assert asyncio.run(scenario()) == tags
