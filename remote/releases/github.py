"""The releases of a repository, as GitHub's REST interface tells them.

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
from remote.releases import response as page
from remote.releases.errors import AnswerInvalidError, RateLimitedError, UnreachableError
from remote.releases.github_rate_limit import REFUSALS, Quota, limit_in
from remote.releases.http_client import Answer, Wire, is_same_origin
from remote.releases.release import Entry
from remote.settings import ReleaseSettings

PAGE_ENTRIES = 50  # with typical notes some 500 kB of JSON
PAGES = 20  # a thousand releases, the latest first: nobody's newest is further down
REDIRECTS = 5
ATTEMPTS = 4
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 20.0
OVERALL = 12  # times timeout_s: all tries of all pages of one repository
BESIDE = 4  # GitHub asks not to be asked much at the same time

_MOVED = (301, 302, 307, 308)


class GitHub:
    """One server, for all repositories; it is left alone while it asks for that.

    Args:
        settings: where it is, and how long it may take.
        token: sent to it and to nobody else; None asks as anybody.
        state: the folder for the cache and for the rate limit.
        clock: what time it is.
        version: ours, for the server's statistics.
        pause: lets seconds pass between two tries.
    """

    def __init__(
        self,
        settings: ReleaseSettings,
        token: str | None,
        state: Path,
        clock: Clock,
        version: str,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._origin = httpx.URL(settings.api)
        self._pause = pause
        self._clock = clock
        self._quota = Quota(state / "releases-limit.json", clock)
        self._wire = Wire(
            self._origin, token, state / "releases-cache.sqlite", timeout_s=settings.timeout_s, version=version
        )
        self._beside = asyncio.Semaphore(BESIDE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Hang up; nobody may be asking any more."""
        await self._wire.aclose()

    async def releases(self, repository: str) -> list[Entry]:
        """All releases of ``owner/name``, in the server's order: the latest first.

        Raises:
            ReleasesUnavailableError: which kind, and so whose fault, its subclasses say.
        """
        overall_s = OVERALL * self._settings.timeout_s
        async with self._beside:
            try:
                async with asyncio.timeout(overall_s):
                    return await self._pages(repository)
            except TimeoutError:
                raise UnreachableError(
                    f"cannot check {repository}: {self._origin.host} gave no complete answer within {overall_s:g} s; "
                    "is the network very slow? raise releases.timeout_s"
                ) from None

    async def _pages(self, repository: str) -> list[Entry]:
        entries: list[Entry] = []
        url = httpx.URL(f"{self._settings.api}/repos/{repository}/releases", params={"per_page": PAGE_ENTRIES})
        for _ in range(PAGES):
            answer = await self._page(repository, url)
            entries += page.read(repository, answer)
            if answer.following is None:
                return entries
            url = self._within(repository, answer, answer.following)
        logger.warning("{} has more than {} pages of releases; the latest {} count", repository, PAGES, len(entries))
        return entries

    async def _page(self, repository: str, url: httpx.URL) -> Answer:
        """The page at ``url``, or where it has moved to: GitHub answers 301 for a renamed repository."""
        for _ in range(REDIRECTS + 1):
            answer = await self._ask(repository, url)
            if answer.status not in _MOVED:
                return answer
            url = self._within(repository, answer, answer.headers.get("location", ""))
        raise AnswerInvalidError(
            f"cannot check {repository}: {self._origin.host} redirected more than {REDIRECTS} times; "
            "does releases.api point at GitHub's REST interface?"
        )

    def _within(self, repository: str, answer: Answer, target: str) -> httpx.URL:
        """Where ``answer`` leads, which must be the same server: another one has no business with our questions."""
        try:
            url = answer.url.join(target)
        except httpx.InvalidURL:
            url = httpx.URL()
        if is_same_origin(url, self._origin):
            return url
        raise AnswerInvalidError(
            f"cannot check {repository}: {self._origin.host} leads to {printable(target)}, which is not followed; "
            "set releases.api to the server that has the releases"
        )

    async def _ask(self, repository: str, url: httpx.URL) -> Answer:
        """Ask until there is an answer that asking again would not better, a bounded number of times."""
        retrying = AsyncRetrying(
            sleep=self._pause,
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential_jitter(initial=FIRST_PAUSE_S, max=LONGEST_PAUSE_S, jitter=FIRST_PAUSE_S),
            retry=retry_if_exception_type(httpx.TransportError) | retry_if_result(_is_ill),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        try:
            answer: Answer = await retrying(self._try, repository, url)
        except httpx.TransportError as error:
            reason = str(error) or f"{type(error).__name__} after {self._settings.timeout_s:g} s"
            raise UnreachableError(
                f"cannot check {repository}: {self._origin.host} cannot be reached ({printable(reason)}); "
                "is this machine on the network, and releases.api right?"
            ) from None
        return answer

    async def _try(self, repository: str, url: httpx.URL) -> Answer:
        """Ask once, unless the server wants to be left alone."""
        if self._quota.wait_s() > 0:
            raise self._limited(repository)
        answer = await self._wire.get(url)
        limit = limit_in(answer.status, answer.headers, page.said(answer), self._clock.utc())
        if limit is not None:
            self._quota.note(limit)
        elif answer.status == page.OK:
            self._quota.granted()
        if limit is not None and answer.status in REFUSALS:
            raise self._limited(repository)
        return answer

    def _limited(self, repository: str) -> RateLimitedError:
        return RateLimitedError(
            f"cannot check {repository}: {self._origin.host} limits how often it may be asked; it is asked again after "
            f"{self._quota.again_at():%Y-%m-%d %H:%M:%S} UTC; a token in releases.token_file raises the limit",
            self._quota.wait_s(),
        )


def _is_ill(answer: Answer) -> bool:
    return answer.status >= page.SERVER_ERRORS
