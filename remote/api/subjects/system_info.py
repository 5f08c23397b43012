"""``controller.system_info``: the machine and its components."""

from __future__ import annotations

import asyncio

from remote.api.connection import Connection
from remote.api.envelope import Incoming
from remote.context import House
from remote.events import bodies as told
from remote.system_info import system_info

SUBJECT = "controller.system_info"


async def handle(house: House, connection: Connection, message: Incoming) -> None:
    """Tell both as they are now."""
    await asyncio.to_thread(house.overview.refresh)
    # Always in this thread: psutil counts the load since the last call of the same one.
    info = system_info(house.settings.device, house.clock) | {
        "dunebugger_components": told.components(house.overview.all())
    }
    connection.answer(message, "system_info", {"system_info": info})
