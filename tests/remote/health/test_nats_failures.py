"""Servers and networks that behave as none should."""

import asyncio

import pytest
from heartbeat_fixture import DEADLINE_S, Stage, send_raw, stand_in, until
from nats_server import NatsServer

from remote.health import nats_connection as line_module
from remote.health.nats_connection import Line


def test_a_right_that_we_lack_is_told(tmp_path, tries):
    """Where we may not listen, nobody is called silent: the log says what is wrong."""
    config = tmp_path / "nats.conf"
    config.write_text(
        "no_auth_user: anyone\n"
        'authorization { users: [{user: anyone, password: x, permissions: {subscribe: {deny: "dunebugger.>"}}}] }\n'
    )
    server = NatsServer(tmp_path, options=["--config", str(config)])
    server.start()

    async def story():
        async with Stage(server.url, alive_s=0.2) as stage:
            await until(lambda: len(tries) >= 4, "some tries")
            assert len(stage.log) == 1
            assert "permissions violation for subscription" in stage.log[0]
            assert stage.told() == []

    try:
        asyncio.run(story())
    finally:
        server.close()


def test_what_the_library_cannot_read_is_overcome(nats, monkeypatch):
    """A subject that is not UTF-8, at which nats-py stops reading without a word, costs one connection."""
    monkeypatch.setattr(line_module, "ROUND_TRIP_S", 2)

    async def story():
        async with stand_in(nats.url, answers=False) as core, Stage(nats.url) as stage:
            await stage.listens()
            await send_raw(nats.port, b"PUB dunebugger.\xff 2\r\n{}\r\n")
            await until(lambda: len(stage.lines("INFO")) == 2, f"another line; {stage.log}")
            assert "messages do not come back" in stage.lines("WARNING")[0]
            await core.say()
            await stage.learns(running=True)

    asyncio.run(story())


@pytest.mark.parametrize(
    "words",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"INFO [1]\r\n", b"INFO {\r\n", b"INFO {}\r\n", b"I" * 200_000],
    ids=["nothing", "http", "array", "torn", "empty", "endless"],
)
def test_what_is_no_nats_server_is_told(words, tries, monkeypatch):
    """Whatever answers there, it is tried on, and nothing is raised."""
    monkeypatch.setattr(line_module, "CONNECT_S", 0.5)

    async def answer(reader, writer):
        try:
            writer.write(words)
            await reader.read()
        finally:
            writer.close()

    async def story():
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with Stage(f"nats://127.0.0.1:{port}") as stage:
                await until(lambda: len(tries) >= 3, "some tries")
                assert stage.lines("INFO") == []
                assert len(stage.lines("WARNING")) >= 1

    asyncio.run(story())


def test_hanging_up_has_an_end(monkeypatch):
    """Where the library does not come to an end with a connection, we do."""
    monkeypatch.setattr(line_module, "CLOSE_S", 0.1)

    async def hang(_):
        await asyncio.Event().wait()

    async def story():
        monkeypatch.setattr(line_module.Client, "close", hang)
        async with asyncio.timeout(DEADLINE_S):
            await Line("nats://127.0.0.1", None, "dunebugger", pytest.fail).close()

    asyncio.run(story())
