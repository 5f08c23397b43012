"""Responses of GitHub that are not a list of releases, and lists with unreadable entries."""

import github_faults as faults
import pytest
from release_fixture import captured_log

from remote.releases.http_client import PAGE_BYTES
from remote.releases.response import (
    AccessDeniedError,
    InvalidResponseError,
    RepositoryNotFoundError,
    TokenRejectedError,
)


@pytest.mark.parametrize(
    ("status", "message", "error", "expected"),
    [
        (401, "Bad credentials", TokenRejectedError, "requires a valid token .'Bad credentials'.; put one into"),
        (403, "Not by this token", AccessDeniedError, "denies access .'Not by this token'.; grant the token"),
        (404, "Not Found", RepositoryNotFoundError, "has no such repository .'Not Found'.; correct releases.account"),
        (410, "Gone", InvalidResponseError, "returned no list of releases .'HTTP 410'.; does releases.api point to"),
        (304, "", InvalidResponseError, "returned no list of releases .'HTTP 304'."),
    ],
)
def test_client_reports_error_statuses_with_the_remedy(server, fixture, status, message, error, expected):
    """An error status is not retried; the error contains the server's message and the remedy."""
    server.inject(faults.http_error(status, message) if message else lambda response: response.reply(status, b""))
    with pytest.raises(error, match=rf"^cannot check owner/app: 127\.0\.0\.1 {expected}"):
        fixture.list_tags()
    assert (len(server.requests), fixture.pauses) == (1, [])


@pytest.mark.parametrize("body", [b"<html>", b"[" * 100_000, b'{"message": 1}', b"[1]", b"", b"\xff"])
def test_client_reports_error_statuses_without_a_message(server, fixture, body):
    """An error with any other body is reported with its status."""
    server.inject(lambda response: response.reply(403, body))
    with pytest.raises(AccessDeniedError, match=r"denies access .'HTTP 403'."):
        fixture.list_tags()


def test_client_escapes_and_bounds_server_messages(server, fixture):
    """A server's message cannot forge log lines or move a cursor."""
    server.inject(faults.http_error(404, "a\nb\x1b[31m" + "c" * 5000))
    with pytest.raises(RepositoryNotFoundError) as caught:
        fixture.list_tags()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        b"[",
        b"\x1f\x8b\x08",
        b"[" * 100_000,
        {"tag_name": "v1.0.0"},
        None,
        "v1.0.0",
        [1],
        [{"tag_name": "v1.0.0"}],
        [{"tag_name": 1, "draft": False, "prerelease": False, "html_url": "", "body": ""}],
        [{"tag_name": "1.0.0", "draft": "perhaps", "prerelease": False, "html_url": "", "body": ""}],
        [{"tag_name": "1.0.0", "draft": False, "prerelease": False, "html_url": "", "published_at": "never"}],
    ],
)
def test_client_reports_responses_that_are_not_a_list_of_releases(server, fixture, body):
    """A response that is not JSON, or has another structure, names the key to check."""
    server.inject(faults.body(body))
    with pytest.raises(InvalidResponseError, match=r"returned no list of releases .*does releases.api point to"):
        fixture.list_tags()
    assert len(server.requests) == 1


READABLE = {"tag_name": "v1.0.0", "draft": False, "prerelease": False, "html_url": "", "body": None}


@pytest.mark.parametrize(
    "entry", [1, None, [], {}, READABLE | {"tag_name": None}, READABLE | {"published_at": "never"}]
)
def test_client_skips_unreadable_entries(server, fixture, entry):
    """One unreadable entry is logged, and the entries around it count (I16)."""
    server.inject(faults.body([READABLE, entry, READABLE | {"tag_name": "v2.0.0"}]))
    with captured_log() as lines:
        assert fixture.list_tags() == ["v1.0.0", "v2.0.0"]
    (line,) = lines
    assert line.startswith("cannot read 1 of 3 releases of owner/app ('1: ")


@pytest.mark.parametrize("status", [200, 403])
def test_client_aborts_responses_over_the_limit(server, fixture, status):
    """A response over the limit is aborted as soon as the limit is reached."""
    read = []

    def fault(response):
        response.recorded.status = status
        response.reply(status, b"[", length=1 << 40)
        while True:
            response.wfile.write(b" " * 65536)
            read.append(65536)

    server.inject(fault)
    with pytest.raises((InvalidResponseError, AccessDeniedError), match=r"more than \d+ bytes on a page|HTTP 403"):
        fixture.list_tags()
    assert sum(read) < 4 * PAGE_BYTES


def test_client_reads_a_response_of_the_largest_size(server, fixture):
    """The limit itself is accepted."""
    server.inject(faults.huge(PAGE_BYTES))
    assert fixture.list_tags() == []
