"""A client's connection over a real socket, with failing and slow handlers."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import connect

from remote.api import codec
from remote.api.connection import Connection, TokenBucket
from remote.commands.serve import LingerLimitedProtocol
from remote.events.bodies import LogLine
from remote.events.envelope import OutgoingMessage
from remote.settings import Server
from tests.support.manual_clock import ManualClock

DEADLINE_S = 60


def body(text):
    """A body with this text."""
    return LogLine(message=text, level="info")


@asynccontextmanager
async def client_of(dispatch):
    """Connect a client to a server whose messages ``dispatch`` handles."""

    async def served(websocket):
        await Connection(websocket, Server(), ManualClock(), dispatch).serve(())

    app = Starlette(routes=[WebSocketRoute("/ws", served)])
    server = uvicorn.Server(uvicorn.Config(app, ws=LingerLimitedProtocol, lifespan="off", log_config=None))
    async with asyncio.timeout(DEADLINE_S):
        listening = socket.create_server(("127.0.0.1", 0))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            async with connect("ws://127.0.0.1:{}/ws".format(*listening.getsockname()[1:]), proxy=None) as client:
                yield client
        finally:
            server.should_exit = True
            await running


async def send(client, subject):
    """Send one message."""
    await client.send(json.dumps({"subject": subject, "source": "panel"}))


async def receive(client):
    """The next received message's subject and body."""
    message = json.loads(await client.recv())
    return message["subject"], message["body"]


def test_connection_reports_an_internal_error_and_continues():
    """The error does not leak the exception; the next message is handled."""

    async def dispatch(connection, message):
        if message.subject == "bad":
            raise RuntimeError("a secret of the server")
        connection.answer(message, body("done"))

    async def scenario():
        async with client_of(dispatch) as client:
            await send(client, "bad")
            failed = await receive(client)
            await send(client, "good")
            return failed, await receive(client)

    failed, succeeded = asyncio.run(scenario())
    text = "cannot execute this command: an internal error occurred; see the log"
    assert failed == ("error", {"message": text, "subject": "bad"})
    assert succeeded == ("log", {"message": "done", "level": "info"})


def test_connection_bounds_concurrent_messages():
    """The ninth message is rejected while eight are handled, and the eight are answered (I12)."""
    may_answer = asyncio.Event()

    async def dispatch(connection, message):
        await may_answer.wait()
        connection.answer(message, body(message.subject))

    async def scenario():
        async with client_of(dispatch) as client:
            for number in range(9):
                await send(client, f"s{number}")
            rejected = await receive(client)
            may_answer.set()
            answered = [await receive(client) for _ in range(8)]
            await send(client, "again")
            return rejected, answered, await receive(client)

    rejected, answered, again = asyncio.run(scenario())
    text = "cannot execute more than 8 commands at once: wait for answers"
    assert rejected == ("error", {"message": text, "subject": "s8"})
    assert sorted(answer["message"] for _, answer in answered) == [f"s{number}" for number in range(8)]
    assert again[1]["message"] == "again"


def test_connection_cancels_its_work_when_the_client_disconnects():
    """Periodic work and running handlers are cancelled."""
    ended, started, all_ended = [], asyncio.Event(), asyncio.Event()

    async def forever(work):
        try:
            if work == "periodic":
                started.set()
            await asyncio.Event().wait()
        finally:
            ended.append(work)
            if {"periodic", "handler"} <= set(ended):
                all_ended.set()

    async def dispatch(connection, _message):
        connection.start_periodic(forever("periodic"))
        await forever("handler")

    async def scenario():
        async with client_of(dispatch) as client:
            await send(client, "go")
            await started.wait()
            await client.close()
            await all_ended.wait()

    asyncio.run(scenario())
    assert sorted(ended) == ["handler", "periodic"]


def test_connection_queues_nothing_for_a_client_that_is_too_slow():
    """The queue stays empty while the client is being disconnected (I12)."""
    connection = Connection(None, Server(), ManualClock(), None)
    for _ in range(3):
        connection.enqueue(OutgoingMessage(body("x" * 5_000_000)))
    assert not connection._queue


def test_connection_skips_a_message_that_cannot_be_encoded(monkeypatch):
    """The connection continues with the next message (I16)."""
    encode = codec.encode

    def fail_once(message):
        if message.body.message == "bad":
            raise RuntimeError("unexpected")
        return encode(message)

    monkeypatch.setattr(codec, "encode", fail_once)

    async def dispatch(connection, message):
        for text in ("bad", "good"):
            connection.answer(message, body(text))

    async def scenario():
        async with client_of(dispatch) as client:
            await send(client, "go")
            return await receive(client)

    assert asyncio.run(scenario())[1]["message"] == "good"


def test_connection_answers_a_source_that_is_not_unicode():
    """A lone surrogate in the source must not end the connection (I16)."""

    async def dispatch(connection, message):
        connection.answer(message, body("done"))

    async def scenario():
        async with client_of(dispatch) as client:
            await client.send('{"subject": "x", "source": "\\ud800"}')
            return await receive(client)

    assert asyncio.run(scenario())[1]["message"] == "done"


@pytest.fixture
def clock():
    """A clock that only tests advance."""
    return ManualClock()


def drain(bucket):
    """Take all available tokens, and return their number."""
    count = 0
    while bucket.try_acquire():
        count += 1
    return count


@pytest.mark.parametrize("pause_s", [0, 3, 86400])
def test_token_bucket_bounds_a_burst_to_three_seconds_of_the_rate(clock, pause_s):
    """The capacity is three seconds of the rate, also after a longer pause."""
    bucket = TokenBucket(20, clock)
    clock.sleep(pause_s)
    assert drain(bucket) == 60


def test_token_bucket_refills_at_the_configured_rate(clock):
    """At 20 messages per second, half a second allows ten messages."""
    bucket = TokenBucket(20, clock)
    drain(bucket)
    clock.sleep(0.5)
    assert drain(bucket) == 10


def test_token_bucket_allows_single_messages_at_a_low_rate(clock):
    """The capacity is at least one message, also at a rate below one message per three seconds."""
    bucket = TokenBucket(0.1, clock)
    assert drain(bucket) == 1
    clock.sleep(9)
    assert drain(bucket) == 0
    clock.sleep(1)
    assert drain(bucket) == 1


def test_token_bucket_limits_messages_after_a_burst(clock):
    """After a burst of three seconds of the rate, only the configured rate is allowed."""
    bucket = TokenBucket(10, clock)
    assert [bucket.try_acquire() for _ in range(31)] == [True] * 30 + [False]
    clock.sleep(0.25)
    assert [bucket.try_acquire() for _ in range(3)] == [True, True, False]
