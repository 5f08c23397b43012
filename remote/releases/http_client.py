"""One question, one answer: HTTP with a cache above it, a token below it, and bounds all around."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import httpx
from hishel import CacheOptions
from hishel.httpx import AsyncCacheTransport

from remote.releases.cache import BROKEN, Store, open_store

PAGE_BYTES = 4 * 1024 * 1024  # fifty releases with notes of 80 kB each; a machine may have 512 MiB in all
_STORABLE = (200, 304)


@dataclass(frozen=True)
class Answer:
    """What came back.

    Args:
        url: what was asked.
        status: the HTTP status; a 304 arrives as the 200 that it stands for.
        headers: the latest ones.
        body: all of it; None when it is larger than ``PAGE_BYTES``.
        following: where the next page is, as the server wrote it.
    """

    url: httpx.URL
    status: int
    headers: httpx.Headers
    body: bytes | None
    following: str | None


@dataclass(frozen=True)
class _Line:
    """An open client and the store beneath it, which the client closes."""

    client: httpx.AsyncClient
    store: Store


def is_same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether scheme, host and port agree (RFC 6454); httpx leaves out a scheme's usual port."""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


class _Network(httpx.AsyncBaseTransport):
    """The network below the cache, which therefore keeps neither the token nor anything but good answers."""

    def __init__(self, origin: httpx.URL, token: str | None) -> None:
        self._origin = origin
        self._token = token
        self._transport = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask, with the token if this is the host that it is for."""
        if self._token is not None and is_same_origin(request.url, self._origin):
            request.headers["Authorization"] = f"Bearer {self._token}"
        response = await self._transport.handle_async_request(request)
        if response.status_code not in _STORABLE:
            response.headers["Cache-Control"] = "no-store"
        return response

    async def aclose(self) -> None:
        """Hang up."""
        await self._transport.aclose()


class Wire:
    """GET requests to one server; opened at the first question."""

    def __init__(self, origin: httpx.URL, token: str | None, cache: Path, *, timeout_s: float, version: str) -> None:
        self._origin = origin
        self._token = token
        self._cache = cache
        self._timeout_s = timeout_s
        self._version = version
        self._opening: asyncio.Task[_Line] | None = None

    async def get(self, url: httpx.URL) -> Answer:
        """Ask for ``url``, in any case of the server itself, which may answer that nothing changed.

        Raises:
            httpx.TransportError: no connection, no complete answer, or a pause of more than ``timeout_s`` in it.
        """
        line = await self._line()
        try:
            return await self._get(line.client, url)
        except BROKEN:  # what was kept cannot be read
            await line.store.forget(str(url))
            return await self._get(line.client, url)

    async def aclose(self) -> None:
        """Hang up, and close the cache; nobody may be asking any more."""
        opening, self._opening = self._opening, None
        if opening is not None:
            await asyncio.wait([opening])
            if opening.exception() is None:  # else whoever asked was told
                await opening.result().client.aclose()

    async def _get(self, client: httpx.AsyncClient, url: httpx.URL) -> Answer:
        async with client.stream("GET", url, extensions={"caching": {"key": str(url)}}) as response:
            following = response.links.get("next", {}).get("url") or None
            return Answer(url, response.status_code, response.headers, await _body(response), following)

    async def _line(self) -> _Line:
        """The one line, for all who ask; a task of its own, so that nothing half open is lost with a cancelled one."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> _Line:
        network = _Network(self._origin, self._token)
        store = await open_store(self._cache, PAGE_BYTES)
        client = httpx.AsyncClient(
            transport=AsyncCacheTransport(network, storage=store, rfc=CacheOptions(shared=False)),
            timeout=httpx.Timeout(self._timeout_s),
            headers={
                "Accept": "application/vnd.github+json",
                "Accept-Encoding": "identity",  # else a small answer could unpack to a huge one before it is measured
                "Cache-Control": "no-cache",
                "User-Agent": f"dunebugger-remote/{self._version}",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        return _Line(client, store)


async def _body(response: httpx.Response) -> bytes | None:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > PAGE_BYTES:
            return None
    return bytes(body)
