"""GitHub client: list all releases of a repository, with bounded retries, redirects and pages.

Source: GitHub REST API 2022-11-28, "List releases", "Using pagination", "Best practices" (redirects, rate limits).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from loguru import logger
from tenacity import AsyncRetrying, retry_if_exception_type, retry_if_result, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from protocol.clock import Clock
from protocol.names import printable
from remote.releases.github_rate_limit import LIMIT_STATUSES, RateLimitTracker, parse_rate_limit
from remote.releases.http_client import HttpClient, HttpResponse, is_same_origin
from remote.releases.release import ReleaseEntry
from remote.releases.response import (
    OK,
    SERVER_ERRORS,
    InvalidResponseError,
    RateLimitedError,
    UnreachableError,
    error_message,
    parse_releases,
)
from remote.settings import ReleaseSettings

PAGE_ENTRIES = 50  # about 500 kB of JSON with typical notes
MAX_PAGES = 20  # a thousand releases, the latest first: the newest version is among them
MAX_REDIRECTS = 5
MAX_ATTEMPTS = 4  # per page
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 20.0
TOTAL_TIMEOUTS = 12  # times timeout_s: limit for all attempts of all pages of one repository
MAX_CONCURRENT = 4  # repositories; GitHub asks for few concurrent requests

_REDIRECTS = (301, 302, 307, 308)


class GitHubClient:
    """Client of one GitHub server, for all repositories.

    Args:
        settings: the server's URL and the time limit of a request.
        token: sent to this server only; None for anonymous requests.
        cache: the file of the HTTP cache.
        limits: the rate limits of that server.
        clock: the source of time.
        version: of this program, for the ``User-Agent`` header.
        pause: waits for a number of seconds between two attempts.
    """

    def __init__(
        self,
        settings: ReleaseSettings,
        token: str | None,
        cache: Path,
        limits: RateLimitTracker,
        clock: Clock,
        version: str,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._origin = httpx.URL(settings.api)
        self._pause = pause
        self._clock = clock
        self._limits = limits
        self._http = HttpClient(self._origin, token, cache, timeout_s=settings.timeout_s, version=version)
        self._concurrency = asyncio.Semaphore(MAX_CONCURRENT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close connections and cache; no request may be pending."""
        await self._http.aclose()

    async def list_releases(self, repository: str) -> list[ReleaseEntry]:
        """Return all releases of ``owner/name`` in the server's order, the latest first.

        Takes at most ``TOTAL_TIMEOUTS`` times ``releases.timeout_s``.

        Raises:
            ReleasesUnavailableError: the subclass says why and whose fault it is.
        """
        limit_s = TOTAL_TIMEOUTS * self._settings.timeout_s
        async with self._concurrency:
            try:
                async with asyncio.timeout(limit_s):
                    return await self._get_all_pages(repository)
            except TimeoutError:
                raise UnreachableError(
                    f"cannot check {repository}: {self._origin.host} sent no complete response within {limit_s:g} s; "
                    "is the network very slow? raise releases.timeout_s"
                ) from None

    async def _get_all_pages(self, repository: str) -> list[ReleaseEntry]:
        entries: list[ReleaseEntry] = []
        url = httpx.URL(f"{self._settings.api}/repos/{repository}/releases", params={"per_page": PAGE_ENTRIES})
        for _ in range(MAX_PAGES):
            response = await self._get_page(repository, url)
            entries += parse_releases(repository, response)
            if response.next_page is None:
                return entries
            url = self._resolve(repository, response, response.next_page)
        logger.warning(
            "{} has more than {} pages of releases; only the latest {} count", repository, MAX_PAGES, len(entries)
        )
        return entries

    async def _get_page(self, repository: str, url: httpx.URL) -> HttpResponse:
        """Get a page and follow redirects: GitHub answers 301 for a renamed repository."""
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._get_with_retries(repository, url)
            if response.status not in _REDIRECTS:
                return response
            url = self._resolve(repository, response, response.headers.get("location", ""))
        raise InvalidResponseError(
            f"cannot check {repository}: {self._origin.host} redirected more than {MAX_REDIRECTS} times; "
            "does releases.api point to GitHub's REST API?"
        )

    def _resolve(self, repository: str, response: HttpResponse, target: str) -> httpx.URL:
        """Return the URL that ``response`` refers to; only the same origin is followed."""
        try:
            url = response.url.join(target)
        except httpx.InvalidURL:
            url = httpx.URL()
        if is_same_origin(url, self._origin):
            return url
        raise InvalidResponseError(
            f"cannot check {repository}: {self._origin.host} refers to {printable(target)}, which is not followed; "
            "set releases.api to the server that publishes the releases"
        )

    async def _get_with_retries(self, repository: str, url: httpx.URL) -> HttpResponse:
        """Repeat a failed request or a 5xx, ``MAX_ATTEMPTS`` times in all, with exponential back-off and jitter."""
        retrying = AsyncRetrying(
            sleep=self._pause,
            stop=stop_after_attempt(MAX_ATTEMPTS),
            wait=wait_exponential_jitter(initial=FIRST_PAUSE_S, max=LONGEST_PAUSE_S, jitter=FIRST_PAUSE_S),
            retry=retry_if_exception_type(httpx.TransportError) | retry_if_result(_is_server_error),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        try:
            response: HttpResponse = await retrying(self._get_once, repository, url)
        except httpx.TransportError as error:
            reason = str(error) or f"{type(error).__name__} after {self._settings.timeout_s:g} s"
            raise UnreachableError(
                f"cannot check {repository}: {self._origin.host} cannot be reached ({printable(reason)}); "
                "is this machine on the network, and is releases.api correct?"
            ) from None
        return response

    async def _get_once(self, repository: str, url: httpx.URL) -> HttpResponse:
        """Send one request, unless a rate limit is in force."""
        if self._limits.wait_s() > 0:
            raise self._rate_limited(repository)
        response = await self._http.get(url)
        limit = parse_rate_limit(response.status, response.headers, error_message(response), self._clock.utc())
        if limit is not None:
            self._limits.record_limit(limit)
        elif response.status == OK:
            self._limits.record_success()
        if limit is not None and response.status in LIMIT_STATUSES:
            raise self._rate_limited(repository)
        return response

    def _rate_limited(self, repository: str) -> RateLimitedError:
        return RateLimitedError(
            f"cannot check {repository}: {self._origin.host} limits the rate of requests; the next one is sent after "
            f"{self._limits.allowed_at():%Y-%m-%d %H:%M:%S} UTC; a token in releases.token_file raises the limit",
            self._limits.wait_s(),
        )


def _is_server_error(response: HttpResponse) -> bool:
    return response.status >= SERVER_ERRORS
