"""HTTP client for one server: GET with a cache above, the token below it, and bounds on time and size."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import httpx
from hishel import CacheOptions
from hishel.httpx import AsyncCacheTransport

from remote.releases.cache import DATABASE_ERRORS, ResponseCache, open_cache

PAGE_BYTES = 4 * 1024 * 1024  # fifty releases with notes of 80 kB each; a device may have 512 MiB of memory
_STORABLE = (200, 304)


@dataclass(frozen=True)
class HttpResponse:
    """One response.

    Args:
        url: the requested URL.
        status: the HTTP status; a 304 is returned as the 200 that it confirms.
        headers: the latest ones.
        body: the whole body; None if it is larger than ``PAGE_BYTES``.
        next_page: the URL of the next page, as the server wrote it; None on the last one.
    """

    url: httpx.URL
    status: int
    headers: httpx.Headers
    body: bytes | None
    next_page: str | None


@dataclass(frozen=True)
class _OpenClient:
    """An open client and its cache; closing the client closes the cache."""

    client: httpx.AsyncClient
    cache: ResponseCache


def is_same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether scheme, host and port are equal (RFC 6454); httpx leaves out the default port of a scheme."""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


class _TokenTransport(httpx.AsyncBaseTransport):
    """Network transport below the cache, so that the cache stores neither the token nor error responses."""

    def __init__(self, origin: httpx.URL, token: str | None) -> None:
        self._origin = origin
        self._token = token
        self._transport = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; with the token only if it goes to the token's own server."""
        if self._token is not None and is_same_origin(request.url, self._origin):
            request.headers["Authorization"] = f"Bearer {self._token}"
        response = await self._transport.handle_async_request(request)
        if response.status_code not in _STORABLE:
            response.headers["Cache-Control"] = "no-store"
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


class HttpClient:
    """GET requests to one server; opened by the first request, and opened again after a cache failure.

    Args:
        origin: the server; only it receives the token.
        token: the access token; None for anonymous requests.
        cache: the file of the HTTP cache.
        timeout_s: the longest pause within a response, > 0.
        version: of this program, for the ``User-Agent`` header.
    """

    def __init__(self, origin: httpx.URL, token: str | None, cache: Path, *, timeout_s: float, version: str) -> None:
        self._origin = origin
        self._token = token
        self._cache = cache
        self._timeout_s = timeout_s
        self._version = version
        self._opening: asyncio.Task[_OpenClient] | None = None

    async def get(self, url: httpx.URL) -> HttpResponse:
        """Request ``url`` from the server, which may answer 304 for what is cached.

        A cache entry that cannot be read is removed and the page requested once more. If that fails too, this request
        fails, and the next one opens the cache again, which replaces a damaged file.

        Raises:
            httpx.TransportError: no connection, an incomplete response, or a pause of more than ``timeout_s``.
            anysqlite.Error, RuntimeError: the cache failed twice.
        """
        opened = await self._open_once()
        try:
            return await self._get(opened.client, url)
        except DATABASE_ERRORS:
            try:
                await opened.cache.remove(str(url))
                return await self._get(opened.client, url)
            except DATABASE_ERRORS:
                await self.aclose()
                raise

    async def aclose(self) -> None:
        """Close the connections and the cache; a later request opens them again."""
        opening, self._opening = self._opening, None
        if opening is not None:
            await asyncio.wait([opening])
            if not opening.cancelled() and opening.exception() is None:
                await opening.result().client.aclose()

    async def _get(self, client: httpx.AsyncClient, url: httpx.URL) -> HttpResponse:
        async with client.stream("GET", url, extensions={"caching": {"key": str(url)}}) as response:
            next_page = response.links.get("next", {}).get("url") or None
            return HttpResponse(url, response.status_code, response.headers, await _read_body(response), next_page)

    async def _open_once(self) -> _OpenClient:
        """Return the one client; opened in a task of its own, so that a cancelled request leaves nothing half open.

        A failed opening is reported to all requests that wait for it; the next request tries again.
        """
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> _OpenClient:
        network = _TokenTransport(self._origin, self._token)
        cache = await open_cache(self._cache, PAGE_BYTES)
        client = httpx.AsyncClient(
            transport=AsyncCacheTransport(network, storage=cache, rfc=CacheOptions(shared=False)),
            timeout=httpx.Timeout(self._timeout_s),
            headers={
                "Accept": "application/vnd.github+json",
                "Accept-Encoding": "identity",  # a compressed response could expand beyond PAGE_BYTES unnoticed
                "Cache-Control": "no-cache",
                "User-Agent": f"dunebugger-remote/{self._version}",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        return _OpenClient(client, cache)


async def _read_body(response: httpx.Response) -> bytes | None:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > PAGE_BYTES:
            return None
    return bytes(body)
