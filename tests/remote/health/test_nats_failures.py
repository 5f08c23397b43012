"""Heartbeat monitor with faulty servers and networks."""

import asyncio

import psutil
import pytest
from heartbeat_fixture import DEADLINE_S, HeartbeatFixture, fake_component, send_raw, until
from nats_server import NatsServer

from remote.health import nats_connection
from remote.health.nats_connection import NatsConnection


def test_monitor_logs_a_missing_permission(tmp_path, attempts):
    """Without permission to subscribe, no component is marked as not running."""
    config = tmp_path / "nats.conf"
    config.write_text(
        "no_auth_user: anyone\n"
        'authorization { users: [{user: anyone, password: x, permissions: {subscribe: {deny: "dunebugger.>"}}}] }\n'
    )
    server = NatsServer(tmp_path, options=["--config", str(config)])
    server.start()

    async def scenario():
        async with HeartbeatFixture(server.url, alive_s=0.2) as fixture:
            await until(lambda: len(attempts) >= 4, "several attempts")
            assert len(fixture.log) == 1
            assert "permissions violation for subscription" in fixture.log[0]
            assert fixture.changes_of() == []

    try:
        asyncio.run(scenario())
    finally:
        server.close()


def test_monitor_reconnects_after_a_subject_that_is_not_utf8(nats, monkeypatch):
    """nats-py stops reading at such a subject without an error; the monitor reconnects."""
    monkeypatch.setattr(nats_connection, "ROUND_TRIP_S", 2)

    async def scenario():
        async with fake_component(nats.url, responds=False) as core, HeartbeatFixture(nats.url) as fixture:
            await fixture.wait_for_connection()
            await send_raw(nats.port, b"PUB dunebugger.\xff 2\r\n{}\r\n")
            await until(lambda: len(fixture.log_lines("INFO")) == 2, f"another connection; {fixture.log}")
            assert "messages do not arrive" in fixture.log_lines("WARNING")[0]
            await core.publish()
            await fixture.wait_for_running(running=True)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "greeting",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"INFO [1]\r\n", b"INFO {\r\n", b"INFO {}\r\n", b"I" * 200_000],
    ids=["silent", "http", "array", "truncated", "empty", "endless"],
)
def test_monitor_retries_a_server_that_is_not_nats(greeting, attempts, monkeypatch):
    """The monitor retries and logs a warning, and no exception escapes."""
    monkeypatch.setattr(nats_connection, "CONNECT_S", 2)

    async def answer(reader, writer):
        try:
            writer.write(greeting)
            await reader.read()
        finally:
            writer.close()

    async def scenario():
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with HeartbeatFixture(f"nats://127.0.0.1:{port}") as fixture:
                await until(lambda: len(attempts) >= 3, "several attempts")
                assert fixture.log_lines("INFO") == []
                assert len(fixture.log_lines("WARNING")) >= 1

    asyncio.run(scenario())


def test_connection_close_is_bounded(monkeypatch):
    """``close`` returns although the close of nats-py does not."""
    monkeypatch.setattr(nats_connection, "CLOSE_S", 0.1)

    async def hang(_):
        await asyncio.Event().wait()

    async def scenario():
        monkeypatch.setattr(nats_connection.Client, "close", hang)
        async with asyncio.timeout(DEADLINE_S):
            await NatsConnection("nats://127.0.0.1", None, "dunebugger", pytest.fail).close()

    asyncio.run(scenario())


def test_connection_is_closed_although_its_opening_is_cancelled(nats):
    """Whenever ``open`` is cancelled, ``close`` leaves no socket."""

    async def scenario():
        steps, is_cancelled = 0, True
        while is_cancelled:
            connection = NatsConnection(nats.url, None, "dunebugger", lambda _: None)
            is_cancelled = await _cancel_after(steps, connection.open())
            await connection.close()
            assert await _sockets(nats.port) == [], f"after {steps} steps"
            steps += 1 + steps // 20

    asyncio.run(scenario())


def test_connection_is_closed_although_its_closing_is_cancelled(nats):
    """Whenever ``close`` is cancelled, it leaves no socket."""

    async def scenario():
        steps, is_cancelled = 1, True
        while is_cancelled:
            connection = NatsConnection(nats.url, None, "dunebugger", lambda _: None)
            await connection.open()
            is_cancelled = await _cancel_after(steps, connection.close())
            assert await _sockets(nats.port) == [], f"after {steps} steps"
            steps += 1
        assert steps > 2

    asyncio.run(scenario())


async def _cancel_after(steps, work):
    """Cancel ``work`` after so many steps of the event loop, and await its end; return whether it was still running."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    is_cancelled = task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return is_cancelled


async def _sockets(port):
    """Return this process's connections to ``port``."""
    await asyncio.sleep(0)  # the event loop closes a socket one step after its transport
    return [one for one in psutil.Process().net_connections("tcp") if one.raddr and one.raddr.port == port]
