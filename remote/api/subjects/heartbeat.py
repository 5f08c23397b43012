"""``controller.heartbeat``: say that we are alive, for a while."""

from __future__ import annotations

import asyncio

from remote.api.connection import Connection
from remote.api.envelope import Incoming
from remote.context import House

SUBJECT = "controller.heartbeat"
_EVERY_S = 60
_TIMES = 5


async def handle(_house: House, connection: Connection, message: Incoming) -> None:
    """Now, then every minute for five minutes; asked again meanwhile, the five minutes begin anew."""
    connection.repeat(_beat(connection, message))


async def _beat(connection: Connection, message: Incoming) -> None:
    connection.answer(message, "heartbeat", "I am alive")
    for _ in range(_TIMES):
        await asyncio.sleep(_EVERY_S)
        connection.answer(message, "heartbeat", "I am alive")
