"""`controller.heartbeat`: now, then every minute for five minutes."""

from __future__ import annotations

import asyncio
import json

import pytest
from hand_clock import HandClock

from remote.api.connection import Connection
from remote.api.envelope import Incoming
from remote.api.subjects import heartbeat
from remote.settings import Server

DEADLINE_S = 60


@pytest.fixture
def pauses(monkeypatch):
    """The pauses between heartbeats, which pass at once."""
    slept = []
    really = asyncio.sleep

    async def sleep(seconds):
        slept.append(seconds)
        await really(0)

    monkeypatch.setattr(heartbeat.asyncio, "sleep", sleep)
    return slept


async def said(connection, count):
    """What waits to be sent, once there is so much."""
    async with asyncio.timeout(DEADLINE_S):
        while len(connection._outgoing) < count:
            await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.005)
    return [json.loads(text)["body"] for text in connection._outgoing]


def test_it_is_said_now_and_five_times_more_a_minute_apart(pauses):
    """And then no more."""

    async def story():
        connection = Connection(None, Server(), HandClock(), None)
        await heartbeat.handle(None, connection, Incoming(subject=heartbeat.SUBJECT, source="panel"))
        told = await said(connection, 6)
        await connection._repeating
        return told, len(connection._outgoing)

    told, count = asyncio.run(story())
    assert told == ["I am alive"] * 6
    assert (count, pauses) == (6, [60] * 5)


def test_asked_again_the_five_minutes_begin_anew(monkeypatch):
    """Nobody gets two at a time."""
    waiting = asyncio.Event

    async def story():
        never = waiting()

        async def sleep(_seconds):
            await never.wait()

        monkeypatch.setattr(heartbeat.asyncio, "sleep", sleep)
        connection = Connection(None, Server(), HandClock(), None)
        for _ in range(3):
            await heartbeat.handle(None, connection, Incoming(subject=heartbeat.SUBJECT))
            await said(connection, 1)
        before = connection._repeating
        await heartbeat.handle(None, connection, Incoming(subject=heartbeat.SUBJECT))
        await asyncio.wait([before], timeout=DEADLINE_S)
        assert before.cancelled()
        connection._repeating.cancel()

    asyncio.run(story())
