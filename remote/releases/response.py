"""Classify a response of GitHub's "List releases": the releases of a page, or the error and its remedy. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable

from loguru import logger
from pydantic import TypeAdapter, ValidationError

from protocol.names import printable
from remote.errors import RemoteError
from remote.releases.http_client import PAGE_BYTES, HttpResponse
from remote.releases.release import ReleaseEntry

MESSAGE_CHARACTERS = 200
OK, SERVER_ERRORS = 200, 500

_LIST = TypeAdapter(list[object])


class ReleasesUnavailableError(RemoteError):
    """The releases of a repository cannot be listed now."""


class UnreachableError(ReleasesUnavailableError):
    """No complete response: no network, a dropped connection or a timeout. Transient."""


class ServerFailedError(ReleasesUnavailableError):
    """The server answered 5xx to every attempt. Transient; the server's fault."""


class TokenRejectedError(ReleasesUnavailableError):
    """401: the token is wrong or expired, or missing where one is required. The operator's fault."""


class AccessDeniedError(ReleasesUnavailableError):
    """403 that is not a rate limit: the token may not read this repository. The operator's fault."""


class RepositoryNotFoundError(ReleasesUnavailableError):
    """404: the repository is misspelled, removed, or private and the token may not read it. The operator's fault."""


class InvalidResponseError(ReleasesUnavailableError):
    """The response is not from GitHub's REST API: too large, malformed, or a link to another server."""


class RateLimitedError(ReleasesUnavailableError):
    """The server limits the rate of requests, and its limit is respected.

    Args:
        message: for people.
        retry_after_s: seconds until the next request is allowed.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


_NOT_FOUND = (
    "{host} has no such repository ({message}); correct releases.account or the component's repository or, if it is "
    "private, set releases.token_file to a token that may read it"
)
_ERRORS: dict[int, tuple[Callable[[str], ReleasesUnavailableError], str]] = {
    401: (
        TokenRejectedError,
        "{host} requires a valid token ({message}); put one into releases.token_file",
    ),
    403: (AccessDeniedError, "{host} denies access ({message}); grant the token of releases.token_file read access"),
    404: (RepositoryNotFoundError, _NOT_FOUND),
}


def parse_releases(repository: str, response: HttpResponse) -> list[ReleaseEntry]:
    """Return the releases on a page; an entry that cannot be read is logged and left out (I16).

    Args:
        repository: ``owner/name``, for messages.
        response: the response to "List releases".

    Raises:
        ReleasesUnavailableError: the response is an error, not a list, or a list without a single readable entry;
            the subclass says which and whose fault it is.
    """
    host = response.url.host
    if response.status in _ERRORS:
        error_type, text = _ERRORS[response.status]
        message = printable(error_message(response) or f"HTTP {response.status}", MESSAGE_CHARACTERS)
        raise error_type(f"cannot check {repository}: {text.format(host=host, message=message)}")
    if response.status >= SERVER_ERRORS:
        raise ServerFailedError(
            f"cannot check {repository}: {host} failed repeatedly, the last time with HTTP {response.status}; "
            "wait until the server works again"
        )
    if response.status != OK:
        raise _invalid(repository, host, f"HTTP {response.status}")
    if response.body is None:
        raise _invalid(repository, host, f"more than {PAGE_BYTES} bytes on a page")
    try:
        values = _LIST.validate_json(response.body)
    except ValidationError as error:
        raise _invalid(repository, host, _first_error(error)) from None
    return _readable_entries(repository, host, values)


def _readable_entries(repository: str, host: str, values: list[object]) -> list[ReleaseEntry]:
    entries, unreadable = list[ReleaseEntry](), list[str]()
    for number, value in enumerate(values):
        try:
            entries.append(ReleaseEntry.model_validate(value))
        except ValidationError as error:
            unreadable.append(f"{number}: {_first_error(error)}")
    if unreadable and not entries:
        raise _invalid(repository, host, unreadable[0])
    if unreadable:
        logger.warning(
            "cannot read {} of {} releases of {} ({}); the others are used",
            len(unreadable),
            len(values),
            repository,
            printable(unreadable[0], MESSAGE_CHARACTERS),
        )
    return entries


def error_message(response: HttpResponse) -> str:
    """Return the ``message`` in the JSON body of an error response; empty if there is none."""
    if response.status == OK or not response.body:
        return ""
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):
        return ""
    message = body.get("message") if isinstance(body, dict) else None
    return message if isinstance(message, str) else ""


def _invalid(repository: str, host: str, found: str) -> InvalidResponseError:
    return InvalidResponseError(
        f"cannot check {repository}: {host} returned no list of releases ({printable(found, MESSAGE_CHARACTERS)}); "
        "does releases.api point to GitHub's REST API?"
    )


def _first_error(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)[0]
    return ": ".join([*(str(part) for part in found["loc"]), found["msg"]])
