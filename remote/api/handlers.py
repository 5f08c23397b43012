"""WebSocket subjects: what a client may send, and the handler of each.

A new subject is one entry in ``SUBJECTS``; ``docs/asyncapi.yaml`` is generated from them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from protocol.names import printable
from protocol.types import Action
from remote.api.codec import (
    ActionBody,
    CheckBody,
    HistoryBody,
    IncomingMessage,
    MessageInvalidError,
    NamedActionBody,
    NoBody,
    RequestBody,
)
from remote.api.connection import Connection
from remote.context import AppContext
from remote.device_info import device_info
from remote.events import bodies, builders
from remote.request_service import UpdateCommand

_HISTORY_ENTRIES = 50
_HEARTBEAT_INTERVAL_S = 60
_HEARTBEATS = 5


async def request_action(
    context: AppContext, connection: Connection, message: IncomingMessage, *, action: Action, body: type[ActionBody]
) -> None:
    """Submit a request, whose events go to all clients; if none is submitted, report the reason to this client."""
    request = body.parse(message)
    result = await context.requests.execute(UpdateCommand(request.component, action, request.dry_run))
    if result.answer is not None:
        connection.answer(message, result.answer)
        connection.answer(message, builders.log_line(result.answer.message, success=result.answer.success))


async def check_updates(context: AppContext, connection: Connection, message: IncomingMessage) -> None:
    """Compare installed with released versions; a forced check asks GitHub and is announced to all clients."""
    force = CheckBody.parse(message).force
    await context.catalogue.refresh(force=force)
    if force:
        await context.notifier.publish_inventory()
        return
    await asyncio.to_thread(context.inventory.refresh)
    connection.answer(message, builders.check_result(context.inventory.statuses()))


async def list_history(context: AppContext, connection: Connection, message: IncomingMessage) -> None:
    """List the latest requests, of one component or of all."""
    component = None
    if name := HistoryBody.parse(message).component:
        component = context.settings.find_component(name)
        if component is None:
            raise MessageInvalidError("cannot list the history: there is no such component; omit it to list all")
    records = [record for record in context.gateway.records() if component in (None, record.component)]
    connection.answer(message, builders.history(component, reversed(records[-_HISTORY_ENTRIES:])))


async def list_outstanding(context: AppContext, connection: Connection, message: IncomingMessage) -> None:
    """List the requests that have no answer yet, each with its latest progress."""
    connection.answer(message, builders.outstanding(context.gateway.outstanding()))


async def send_heartbeats(_context: AppContext, connection: Connection, message: IncomingMessage) -> None:
    """Send a heartbeat now, then every minute for five minutes; a second request restarts the five minutes."""
    connection.start_periodic(_send_heartbeats(connection, message))


async def _send_heartbeats(connection: Connection, message: IncomingMessage) -> None:
    connection.answer(message, bodies.Heartbeat())
    for _ in range(_HEARTBEATS):
        await asyncio.sleep(_HEARTBEAT_INTERVAL_S)
        connection.answer(message, bodies.Heartbeat())


async def report_system_info(context: AppContext, connection: Connection, message: IncomingMessage) -> None:
    """Report the machine and its components as they are now."""
    await asyncio.to_thread(context.inventory.refresh)
    # Always in this thread: psutil computes the load since the last call in the same thread.
    device = device_info(context.settings.device, context.clock)
    connection.answer(message, builders.system_info_of(device, context.inventory.statuses()))


Handler = Callable[[AppContext, Connection, IncomingMessage], Awaitable[None]]


@dataclass(frozen=True)
class Subject:
    """One subject: its handler, the body that clients send with it, and a line of documentation."""

    handle: Handler
    body: type[RequestBody]
    summary: str


def _action(action: Action, body: type[ActionBody], summary: str) -> Subject:
    return Subject(partial(request_action, action=action, body=body), body, summary)


SUBJECTS: dict[str, Subject] = {
    "updater.check_updates": Subject(
        check_updates,
        CheckBody,
        "Compare installed versions with releases. The result of a forced check is sent to all clients, else to this "
        "client only.",
    ),
    "updater.perform_update": _action(
        Action.UPDATE,
        ActionBody,
        "Update a component to its latest release. Followed by update_progress and update_result.",
    ),
    "updater.update": _action(Action.UPDATE, NamedActionBody, "The same; the body may be the component's name alone."),
    "updater.rollback": _action(
        Action.ROLLBACK,
        ActionBody,
        "Restore the version of a component before its latest update. Followed by update_result.",
    ),
    "updater.health": _action(
        Action.HEALTH, ActionBody, "Check a component with its health-check.sh. Followed by health_result."
    ),
    "updater.history": Subject(
        list_history, HistoryBody, f"List the latest {_HISTORY_ENTRIES} requests, of one component or of all."
    ),
    "updater.outstanding": Subject(list_outstanding, NoBody, "List the requests that have no answer yet."),
    "controller.heartbeat": Subject(
        send_heartbeats, NoBody, "Receive a heartbeat now, then every 60 seconds for 5 minutes."
    ),
    "controller.system_info": Subject(report_system_info, NoBody, "Receive facts about the machine and components."),
}


async def dispatch(context: AppContext, connection: Connection, message: IncomingMessage) -> None:
    """Call the handler of the message's subject.

    Raises:
        MessageInvalidError: the subject is unknown, or the body is invalid. The client's fault.
    """
    subject = SUBJECTS.get(message.subject)
    if subject is None:
        known = ", ".join(sorted(SUBJECTS))
        raise MessageInvalidError(f"cannot find the subject {printable(message.subject)}; known are: {known}")
    await subject.handle(context, connection, message)
