"""``updater.history``: what was asked, and how it ended."""

from __future__ import annotations

from remote.api import bodies
from remote.api.connection import Connection
from remote.api.envelope import Incoming, MessageInvalidError
from remote.context import House
from remote.events import bodies as told

SUBJECT = "updater.history"
_NEWEST = 50


async def handle(house: House, connection: Connection, message: Incoming) -> None:
    """List the latest requests, of one component or of all."""
    body = bodies.fields(message)
    component = None
    if "component" in body:
        component = house.settings.named(bodies.component(body))
        if component is None:
            raise MessageInvalidError("cannot list the history: there is no such component; leave it out for all")
    found = [record for record in house.records if component in (None, record.component)]
    requests = [told.history(record) for record in reversed(found[-_NEWEST:])]
    connection.answer(message, "history", {"component": component, "requests": requests})
