"""A client's connection over a real socket, with handlers that misbehave."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import connect

from remote.api import codec
from remote.api.connection import Connection
from remote.api.uvicorn_protocol import LingerLimitedProtocol
from remote.events.bodies import LogLine
from remote.events.envelope import OutgoingMessage
from remote.settings import Server
from tests.support.manual_clock import ManualClock

DEADLINE_S = 60


def body(text):
    """Any body."""
    return LogLine(message=text, level="info")


@asynccontextmanager
async def client_of(dispatch):
    """A client whose messages ``dispatch`` answers."""

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


def test_connection_reports_an_internal_error_to_its_client_and_goes_on():
    """The error does not leak the exception; the next message is handled."""

    async def dispatch(connection, message):
        if message.subject == "bad":
            raise RuntimeError("a secret of ours")
        connection.answer(message, body("well"))

    async def story():
        async with client_of(dispatch) as client:
            await send(client, "bad")
            failed = await receive(client)
            await send(client, "good")
            return failed, await receive(client)

    failed, well = asyncio.run(story())
    words = "cannot execute this command: an internal error occurred; see the log"
    assert failed == ("error", {"message": words, "subject": "bad"})
    assert well == ("log", {"message": "well", "level": "info"})


def test_connection_bounds_concurrent_messages():
    """The ninth message is refused while eight are handled, and none of them is lost (I12)."""
    go_on = asyncio.Event()

    async def dispatch(connection, message):
        await go_on.wait()
        connection.answer(message, body(message.subject))

    async def story():
        async with client_of(dispatch) as client:
            for number in range(9):
                await send(client, f"s{number}")
            refused = await receive(client)
            go_on.set()
            answered = [await receive(client) for _ in range(8)]
            await send(client, "again")
            return refused, answered, await receive(client)

    refused, answered, again = asyncio.run(story())
    assert refused == (
        "error",
        {"message": "cannot execute more than 8 commands at once: wait for answers", "subject": "s8"},
    )
    assert sorted(said["message"] for _, said in answered) == [f"s{number}" for number in range(8)]
    assert again[1]["message"] == "again"


def test_connection_cancels_its_work_when_the_client_leaves():
    """Its periodic work, and handlers that it still waits for."""
    ended, begun, all_ended = [], asyncio.Event(), asyncio.Event()

    async def forever(what):
        try:
            if what == "repeated":
                begun.set()
            await asyncio.Event().wait()
        finally:
            ended.append(what)
            if {"repeated", "asked"} <= set(ended):
                all_ended.set()

    async def dispatch(connection, _message):
        connection.start_periodic(forever("repeated"))
        await forever("asked")

    async def story():
        async with client_of(dispatch) as client:
            await send(client, "go")
            await begun.wait()
            await client.close()
            await all_ended.wait()

    asyncio.run(story())
    assert sorted(ended) == ["asked", "repeated"]


def test_connection_queues_nothing_for_a_client_that_is_too_slow():
    """Events go on while it is being disconnected (I12)."""
    connection = Connection(None, Server(), ManualClock(), None)
    for _ in range(3):
        connection.enqueue(OutgoingMessage(body("x" * 5_000_000)))
    assert not connection._queue


def test_connection_skips_a_message_that_cannot_be_encoded(monkeypatch):
    """The connection goes on with the next message (I16)."""
    encode = codec.encode

    def fail_once(message):
        if message.body.message == "bad":
            raise RuntimeError("unexpected")
        return encode(message)

    monkeypatch.setattr(codec, "encode", fail_once)

    async def dispatch(connection, message):
        for text in ("bad", "good"):
            connection.answer(message, body(text))

    async def story():
        async with client_of(dispatch) as client:
            await send(client, "go")
            return await receive(client)

    assert asyncio.run(story())[1]["message"] == "good"


def test_connection_answers_a_source_that_is_not_unicode():
    """Half a surrogate pair in a name must not end the connection (I16)."""

    async def dispatch(connection, message):
        connection.answer(message, body("well"))

    async def story():
        async with client_of(dispatch) as client:
            await client.send('{"subject": "x", "source": "\\ud800"}')
            return await receive(client)

    assert asyncio.run(story())[1]["message"] == "well"
