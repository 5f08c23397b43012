"""HTTP cache: hishel's SQLite storage, one response per URL, checked when opened and bounded in size.

With the ETag of the last response, a poll that finds nothing new costs a 304, which GitHub does not count.
"""

from __future__ import annotations

from pathlib import Path

import anysqlite
from hishel import AsyncSqliteStorage, Entry, Request, Response
from loguru import logger

from protocol.fs import remove_tree

CACHE_BYTES = 32 * 1024 * 1024  # about eight of the largest accepted pages
DATABASE_ERRORS = (anysqlite.Error, RuntimeError)  # raised by SQLite and by hishel for a database that is unusable
_SUFFIXES = ("", "-wal", "-shm")


class ResponseCache(AsyncSqliteStorage):
    """Keeps one response per URL.

    hishel alone also keeps the previous response. A 304 with a weak ETag, as GitHub sends them, then does not identify
    which of the two it confirms (RFC 9111, section 4.3.4), and hishel requests the whole page again.
    """

    async def create_entry(
        self, request: Request, response: Response, key: str, *, ttl: float | None = None, tti: float | None = None
    ) -> Entry:
        """Store ``response``, which replaces all entries for ``key``."""
        await self.remove(key)
        return await super().create_entry(request, response, key, ttl=ttl, tti=tti)

    async def remove(self, key: str) -> None:
        """Remove all entries for ``key``."""
        for entry in await self.get_entries(key):
            await self.remove_entry(entry.id)


async def open_cache(path: Path, page_bytes: int) -> ResponseCache:
    """Open the cache at ``path``; a damaged file is replaced, and without a usable file the cache is in memory.

    Args:
        path: the database; its directory should exist.
        page_bytes: the largest response that is stored.
    """
    try:
        return await _open(str(path), page_bytes)
    except DATABASE_ERRORS as error:
        logger.warning("cannot use the cache {}: {}; creating a new one", path, error)
    try:
        for suffix in _SUFFIXES:
            remove_tree(path.with_name(f"{path.name}{suffix}"))
        return await _open(str(path), page_bytes)
    except (*DATABASE_ERRORS, OSError) as error:
        logger.warning("cannot create the cache {}: {}; make its folder writable for this user", path, error)
        return await _open(":memory:", page_bytes)


async def _open(database: str, page_bytes: int) -> ResponseCache:
    connection = await anysqlite.connect(database, isolation_level=None)
    try:
        await _verify(connection)
        cache = ResponseCache(connection=connection, max_size=CACHE_BYTES, max_stream_size=page_bytes)
        await cache.get_entries("")  # hishel checks its tables at the first use
    except BaseException:
        await connection.close()
        raise
    return cache


async def _verify(connection: anysqlite.Connection) -> None:
    """Raise ``anysqlite.Error`` for a damaged or read-only file, which hishel would only log."""
    result = await (await connection.execute("PRAGMA quick_check(1)")).fetchone()
    if result != ("ok",):
        raise anysqlite.DatabaseError(str(result[0]))
    await connection.execute("PRAGMA user_version = 1")
