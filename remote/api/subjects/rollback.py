"""``updater.rollback``: put a component back to what was there before its latest update."""

from __future__ import annotations

from protocol.types import Action
from remote.api import bodies
from remote.api.connection import Connection
from remote.api.envelope import Incoming
from remote.api.request_action import grant
from remote.context import House
from remote.request_service import Wish

SUBJECT = "updater.rollback"


async def handle(house: House, connection: Connection, message: Incoming) -> None:
    """Ask the host."""
    body = bodies.fields(message)
    await grant(house, connection, message, Wish(bodies.component(body), Action.ROLLBACK, bodies.flag(body, "dry_run")))
