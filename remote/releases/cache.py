"""What the server said last, with its ETag, so that asking again costs a 304: hishel's store, kept small and sound."""

from __future__ import annotations

from pathlib import Path

import anysqlite
from hishel import AsyncSqliteStorage, Entry, Request, Response
from loguru import logger

from protocol.fs import remove_tree

CACHE_BYTES = 32 * 1024 * 1024  # some eight of the largest pages that are read at all
BROKEN = (anysqlite.Error, RuntimeError)  # what SQLite, and what hishel raises about a database that cannot be used
_FILES = ("", "-wal", "-shm")


class Store(AsyncSqliteStorage):
    """One answer per address.

    hishel keeps the one before, too. A 304 with a weak ETag, as all of GitHub's are, then does not tell it which of
    the two is meant (RFC 9111, section 4.3.4), and it asks again for the whole.
    """

    async def create_entry(
        self, request: Request, response: Response, key: str, *, ttl: float | None = None, tti: float | None = None
    ) -> Entry:
        """Keep ``response`` in place of what was kept for ``key``."""
        await self.forget(key)
        return await super().create_entry(request, response, key, ttl=ttl, tti=tti)

    async def forget(self, key: str) -> None:
        """Keep nothing for ``key``."""
        for entry in await self.get_entries(key):
            await self.remove_entry(entry.id)


async def open_store(path: Path, page_bytes: int) -> Store:
    """The store in the file ``path``: the one that is there if it is sound, else a new one, else one in memory.

    Args:
        path: the database; its folder should exist.
        page_bytes: the largest answer that is kept.
    """
    try:
        return await _open(str(path), page_bytes)
    except BROKEN as error:
        logger.warning("cannot use the cache {}: {}; beginning a new one", path, error)
    try:
        for suffix in _FILES:
            remove_tree(path.with_name(f"{path.name}{suffix}"))
        return await _open(str(path), page_bytes)
    except (*BROKEN, OSError) as error:
        logger.warning("cannot keep a cache in {}: {}; let this user write there", path, error)
        return await _open(":memory:", page_bytes)


async def _open(database: str, page_bytes: int) -> Store:
    connection = await anysqlite.connect(database, isolation_level=None)
    try:
        await _judge(connection)
        store = Store(connection=connection, max_size=CACHE_BYTES, max_stream_size=page_bytes)
        await store.get_entries("")  # hishel looks at its tables now
    except BaseException:
        await connection.close()
        raise
    return store


async def _judge(connection: anysqlite.Connection) -> None:
    """Raise what hishel would only log: that the file is damaged, or cannot be written."""
    verdict = await (await connection.execute("PRAGMA quick_check(1)")).fetchone()
    if verdict != ("ok",):
        raise anysqlite.DatabaseError(str(verdict[0]))
    await connection.execute("PRAGMA user_version = 1")
