"""``updater.check_updates``: compare what is installed with what is released."""

from __future__ import annotations

import asyncio

from remote.api import bodies
from remote.api.connection import Connection
from remote.api.envelope import Incoming
from remote.context import House
from remote.events import bodies as told

SUBJECT = "updater.check_updates"


async def handle(house: House, connection: Connection, message: Incoming) -> None:
    """Ask GitHub if that is due, or if ``force`` says so: then everybody hears the result, else the asker alone."""
    is_forced = bodies.flag(bodies.fields(message), "force")
    await house.catalogue.refresh(force=is_forced)
    if is_forced:
        await house.teller.look_again()
        return
    await asyncio.to_thread(house.overview.refresh)
    found = told.compared(house.overview.all())
    connection.answer(message, found.subject, found.body)
