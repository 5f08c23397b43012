"""A client's connection, over a real wire, with subjects that are played: some do what none of ours does."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import uvicorn
from hand_clock import HandClock
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import connect

from remote.api.connection import Connection
from remote.api.uvicorn_protocol import Wire
from remote.settings import Server

DEADLINE_S = 60


@asynccontextmanager
async def client_of(dispatch):
    """A client whose messages ``dispatch`` answers."""

    async def served(websocket):
        await Connection(websocket, Server(), HandClock(), dispatch).serve(())

    app = Starlette(routes=[WebSocketRoute("/ws", served)])
    server = uvicorn.Server(uvicorn.Config(app, ws=Wire, lifespan="off", log_config=None))
    async with asyncio.timeout(DEADLINE_S):
        listening = socket.create_server(("127.0.0.1", 0))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            async with connect("ws://127.0.0.1:{}/ws".format(*listening.getsockname()[1:]), proxy=None) as client:
                yield client
        finally:
            server.should_exit = True
            await running


async def say(client, subject):
    """Send one message."""
    await client.send(json.dumps({"subject": subject, "source": "panel"}))


async def hear(client):
    """The next message's subject and body."""
    message = json.loads(await client.recv())
    return message["subject"], message["body"]


def test_a_fault_of_ours_is_told_to_who_asked_and_ends_nothing():
    """The client learns that it is not its fault, and may go on."""

    async def dispatch(connection, message):
        if message.subject == "bad":
            raise RuntimeError("a secret of ours")
        connection.answer(message, "well", None)

    async def story():
        async with client_of(dispatch) as client:
            await say(client, "bad")
            failed = await hear(client)
            await say(client, "good")
            return failed, await hear(client)

    failed, well = asyncio.run(story())
    words = "cannot do this: something went wrong in here; the log tells what"
    assert failed == ("error", {"message": words, "subject": "bad"})
    assert well == ("well", None)


def test_what_one_client_has_us_do_at_once_is_bounded():
    """The ninth thing is refused while eight are under way, and no other one is lost (I12)."""
    go_on = asyncio.Event()

    async def dispatch(connection, message):
        await go_on.wait()
        connection.answer(message, message.subject, None)

    async def story():
        async with client_of(dispatch) as client:
            for number in range(9):
                await say(client, f"s{number}")
            refused = await hear(client)
            go_on.set()
            answered = [await hear(client) for _ in range(8)]
            await say(client, "again")
            return refused, answered, await hear(client)

    refused, answered, again = asyncio.run(story())
    assert refused == ("error", {"message": "cannot do more than 8 things at once: wait for answers", "subject": "s8"})
    assert sorted(answered) == [(f"s{number}", None) for number in range(8)]
    assert again == ("again", None)


def test_whatever_is_done_for_a_client_ends_with_it():
    """What is repeated for it, and what it still waits for."""
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
        connection.repeat(forever("repeated"))
        await forever("asked")

    async def story():
        async with client_of(dispatch) as client:
            await say(client, "go")
            await begun.wait()
            await client.close()
            await all_ended.wait()

    asyncio.run(story())
    assert sorted(ended) == ["asked", "repeated"]


def test_nothing_more_is_kept_for_a_client_that_is_too_slow():
    """While it is being let go, events go on."""
    connection = Connection(None, Server(), HandClock(), None)
    for _ in range(3):
        connection.offer("x" * 5_000_000)
    assert not connection._outgoing
