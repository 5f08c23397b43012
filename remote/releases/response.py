"""What an answer of GitHub's means: the releases on a page, or why there are none. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable

from pydantic import TypeAdapter, ValidationError

from protocol.names import printable
from remote.releases.errors import (
    AccessRefusedError,
    AnswerInvalidError,
    ReleasesUnavailableError,
    RepositoryNotFoundError,
    ServerFailedError,
    TokenRefusedError,
)
from remote.releases.http_client import PAGE_BYTES, Answer
from remote.releases.release import Entry

SAID_CHARACTERS = 200
OK, SERVER_ERRORS = 200, 500

_ENTRIES = TypeAdapter(list[Entry])
_NO_SUCH = (
    "{host} knows no such repository ({said}); correct releases.account or the component's repository or, if it is "
    "private, name a token that may read it with releases.token_file"
)
_REFUSALS: dict[int, tuple[Callable[[str], ReleasesUnavailableError], str]] = {
    401: (TokenRefusedError, "{host} wants a valid token ({said}); put one into the file releases.token_file names"),
    403: (AccessRefusedError, "{host} refuses access ({said}); let the token of releases.token_file read this"),
    404: (RepositoryNotFoundError, _NO_SUCH),
}


def read(repository: str, answer: Answer) -> list[Entry]:
    """The releases on a page.

    Raises:
        ReleasesUnavailableError: the answer is something else; which, and whose fault, the subclass says.
    """
    host = answer.url.host
    if answer.status in _REFUSALS:
        kind, text = _REFUSALS[answer.status]
        told = printable(said(answer) or f"HTTP {answer.status}", SAID_CHARACTERS)
        raise kind(f"cannot check {repository}: {text.format(host=host, said=told)}")
    if answer.status >= SERVER_ERRORS:
        raise ServerFailedError(
            f"cannot check {repository}: {host} failed again and again, at last with HTTP {answer.status}; "
            "wait until it is mended"
        )
    if answer.status != OK:
        what = f"HTTP {answer.status}"
    elif answer.body is None:
        what = f"more than {PAGE_BYTES} bytes on a page"
    else:
        try:
            return _ENTRIES.validate_json(answer.body)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)[0]
            what = ": ".join([*(str(part) for part in found["loc"]), found["msg"]])
    raise AnswerInvalidError(
        f"cannot check {repository}: {host} gave no list of releases ({printable(what, SAID_CHARACTERS)}); "
        "does releases.api point at GitHub's REST interface?"
    )


def said(answer: Answer) -> str:
    """The sentence in a refusal's body; empty where there is none."""
    if answer.status == OK or not answer.body:
        return ""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    sentence = body.get("message") if isinstance(body, dict) else None
    return sentence if isinstance(sentence, str) else ""
