"""``controller.system_info``: the machine and its components."""

from __future__ import annotations

import asyncio

from remote import told
from remote.api.connection import Connection
from remote.api.envelope import Incoming
from remote.device_info import system_info
from remote.house import House

SUBJECT = "controller.system_info"


async def handle(house: House, connection: Connection, message: Incoming) -> None:
    """Tell both as they are now."""
    await asyncio.to_thread(house.overview.refresh)
    # Always in this thread: psutil counts the load since the last call of the same one.
    info = system_info(house.settings.device, house.clock) | {
        "dunebugger_components": told.components(house.overview.all())
    }
    connection.answer(message, "system_info", {"system_info": info})
