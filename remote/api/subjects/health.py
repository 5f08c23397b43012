"""``updater.health``: have a component checked by its health-check.sh."""

from __future__ import annotations

from protocol.types import Action
from remote.api import bodies
from remote.api.connection import Connection
from remote.api.envelope import Incoming
from remote.api.request_action import grant
from remote.context import House
from remote.request_service import Wish

SUBJECT = "updater.health"


async def handle(house: House, connection: Connection, message: Incoming) -> None:
    """Ask the host."""
    body = bodies.fields(message)
    await grant(house, connection, message, Wish(bodies.component(body), Action.HEALTH, bodies.flag(body, "dry_run")))
