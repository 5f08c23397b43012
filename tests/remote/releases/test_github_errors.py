"""What GitHub answers instead of releases."""

import github_faults as faults
import pytest

from remote.releases.errors import (
    AccessRefusedError,
    AnswerInvalidError,
    RepositoryNotFoundError,
    TokenRefusedError,
)
from remote.releases.http_client import PAGE_BYTES


@pytest.mark.parametrize(
    ("status", "said", "kind", "told"),
    [
        (401, "Bad credentials", TokenRefusedError, "wants a valid token .'Bad credentials'.; put one into the file"),
        (403, "Not by this token", AccessRefusedError, "refuses access .'Not by this token'.; let the token"),
        (404, "Not Found", RepositoryNotFoundError, "knows no such repository .'Not Found'.; correct releases.account"),
        (410, "Gone", AnswerInvalidError, "gave no list of releases .'HTTP 410'.; does releases.api point at"),
        (304, "", AnswerInvalidError, "gave no list of releases .'HTTP 304'."),
    ],
)
def test_a_refusal_is_told_with_the_remedy(server, stage, status, said, kind, told):
    """What the server refuses is not asked again, and told in its words, with what to do."""
    server.misbehave(faults.refusal(status, said) if said else lambda answer: answer.reply(status, b""))
    with pytest.raises(kind, match=rf"^cannot check owner/app: 127\.0\.0\.1 {told}"):
        stage.ask()
    assert (len(server.answers), stage.pauses) == (1, [])


@pytest.mark.parametrize("said", [b"<html>", b"[" * 100_000, b'{"message": 1}', b"[1]", b"", b"\xff"])
def test_a_refusal_without_words_is_told(server, stage, said):
    """A refusal with any other body is told by its number."""
    server.misbehave(lambda answer: answer.reply(403, said))
    with pytest.raises(AccessRefusedError, match=r"refuses access .'HTTP 403'."):
        stage.ask()


def test_words_of_the_server_cannot_forge_a_line(server, stage):
    """What the server says stands in one printable line, of bounded length."""
    server.misbehave(faults.refusal(404, "a\nb\x1b[31m" + "c" * 5000))
    with pytest.raises(RepositoryNotFoundError) as caught:
        stage.ask()
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
def test_what_is_no_list_of_releases_is_told(server, stage, body):
    """An answer that is not JSON, or JSON of another shape, is told with where to look."""
    server.misbehave(faults.body(body))
    with pytest.raises(AnswerInvalidError, match=r"gave no list of releases .*does releases.api point at"):
        stage.ask()
    assert len(server.answers) == 1


@pytest.mark.parametrize("status", [200, 403])
def test_a_huge_answer_is_not_read(server, stage, status):
    """An answer beyond the bound is given up, as soon as it is seen to be."""
    read = []

    def fault(answer):
        answer.answered.status = status
        answer.reply(status, b"[", length=1 << 40)
        while True:
            answer.wfile.write(b" " * 65536)
            read.append(65536)

    server.misbehave(fault)
    with pytest.raises((AnswerInvalidError, AccessRefusedError), match=r"more than \d+ bytes on a page|HTTP 403"):
        stage.ask()
    assert sum(read) < 4 * PAGE_BYTES


def test_a_large_answer_is_read(server, stage):
    """An answer of exactly the bound is none too many."""
    server.misbehave(faults.huge(PAGE_BYTES))
    assert stage.ask() == []
