"""``updater.perform_update``: update a component to its latest release."""

from __future__ import annotations

from protocol.types import Action
from remote.api import bodies
from remote.api.connection import Connection
from remote.api.envelope import Incoming
from remote.api.request_action import grant
from remote.context import House
from remote.request_service import Wish

SUBJECT = "updater.perform_update"


async def handle(house: House, connection: Connection, message: Incoming) -> None:
    """Ask the host; with ``dry_run`` only tell what would happen."""
    body = bodies.fields(message)
    wish = Wish(bodies.component(body), Action.UPDATE, dry_run=bodies.flag(body, "dry_run"))
    await grant(house, connection, message, wish)
