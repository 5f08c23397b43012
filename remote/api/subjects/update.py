"""``updater.update``: update the component that the body names."""

from __future__ import annotations

from protocol.types import Action
from remote.api import bodies
from remote.api.connection import Connection
from remote.api.envelope import Incoming
from remote.api.request_action import grant
from remote.context import House
from remote.request_service import Wish

SUBJECT = "updater.update"


async def handle(house: House, connection: Connection, message: Incoming) -> None:
    """Ask the host; the name may be a display name, such as ``dunebugger-core``, or a short one."""
    name = message.body if isinstance(message.body, str) else bodies.component(bodies.fields(message))
    await grant(house, connection, message, Wish(name, Action.UPDATE))
