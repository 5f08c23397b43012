"""Grants what a client wishes for: a request whose events everybody hears, or an answer at once."""

from __future__ import annotations

from protocol.types import Action
from remote.api.connection import Connection
from remote.api.envelope import Incoming
from remote.context import House
from remote.events import bodies as told
from remote.request_service import Wish


async def grant(house: House, connection: Connection, message: Incoming, wish: Wish) -> None:
    """Carry a wish out; where nothing is asked of the host, the one who wished hears why."""
    reply = await house.updater.carry_out(wish)
    if reply.record is not None:
        return
    subject = "health_result" if wish.action is Action.HEALTH else "update_result"
    connection.answer(message, subject, reply.result)
    log = told.log(reply.result["message"], "info" if reply.result["success"] else "error")
    connection.answer(message, log.subject, log.body)
