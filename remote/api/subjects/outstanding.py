"""``updater.outstanding``: what is under way now."""

from __future__ import annotations

from remote.api.connection import Connection
from remote.api.envelope import Incoming
from remote.context import House
from remote.events import bodies as told

SUBJECT = "updater.outstanding"


async def handle(house: House, connection: Connection, message: Incoming) -> None:
    """List the requests that have no answer yet, each with its latest progress."""
    requests = [told.standing(record, progress) for record, progress in house.gateway.standing()]
    connection.answer(message, "outstanding", {"requests": requests})
