"""Handler of `controller.heartbeat`: one heartbeat at once, then one per minute for five minutes."""

from __future__ import annotations

import asyncio

import pytest

from remote.api import handlers
from remote.api.codec import IncomingMessage
from remote.api.connection import Connection
from remote.settings import Server
from tests.support.manual_clock import ManualClock

DEADLINE_S = 60
MESSAGE = IncomingMessage(subject="controller.heartbeat", source="panel")


async def request_heartbeats(connection):
    """Handle the message as the dispatcher does."""
    await handlers.dispatch(None, connection, MESSAGE)


@pytest.fixture
def pauses(monkeypatch):
    """Record the pauses between heartbeats, and skip them."""
    slept = []
    real_sleep = asyncio.sleep

    async def sleep(seconds):
        slept.append(seconds)
        await real_sleep(0)

    monkeypatch.setattr(handlers.asyncio, "sleep", sleep)
    return slept


async def queued(connection, count):
    """Wait until ``count`` bodies are queued, and return them."""
    async with asyncio.timeout(DEADLINE_S):
        while len(connection._queue) < count:
            await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.005)
    return [message.body.root for message in connection._queue]


def test_heartbeat_handler_sends_one_at_once_and_five_in_five_minutes(pauses):
    """The handler ends after six heartbeats."""

    async def scenario():
        connection = Connection(None, Server(), ManualClock(), None)
        await request_heartbeats(connection)
        sent = await queued(connection, 6)
        await connection._periodic
        return sent, len(connection._queue)

    sent, count = asyncio.run(scenario())
    assert sent == ["I am alive"] * 6
    assert (count, pauses) == (6, [60] * 5)


def test_heartbeat_handler_restarts_its_series_on_a_new_request(monkeypatch):
    """A client never receives two series at a time."""
    waiting = asyncio.Event

    async def scenario():
        never = waiting()

        async def sleep(_seconds):
            await never.wait()

        monkeypatch.setattr(handlers.asyncio, "sleep", sleep)
        connection = Connection(None, Server(), ManualClock(), None)
        for _ in range(3):
            await request_heartbeats(connection)
            await queued(connection, 1)
        before = connection._periodic
        await request_heartbeats(connection)
        await asyncio.wait([before], timeout=DEADLINE_S)
        assert before.cancelled()
        connection._periodic.cancel()

    asyncio.run(scenario())
