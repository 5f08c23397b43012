"""Heartbeat monitor while the NATS server is down, rejects the connection, or restarts."""

import asyncio

import pytest
from heartbeat_fixture import HeartbeatFixture, fake_component, until
from nats_server import NatsServer

from remote.health import nats_connection
from remote.health.health_registry import HealthSource, HealthStatus

TOKEN = "the-right-token"  # noqa: S105


@pytest.fixture
def stopped_server(tmp_path):
    """A server that is not running yet."""
    server = NatsServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def secured(tmp_path):
    """A server that requires a token."""
    server = NatsServer(tmp_path, token=TOKEN)
    server.start()
    yield server
    server.close()


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_outage_makes_health_unknown_until_the_server_is_back(nats, end):
    """Health is unknown during the outage, and monitored again after it."""

    async def scenario():
        async with (
            fake_component(nats.url),
            HeartbeatFixture(nats.url, components=("core", "scheduler"), alive_s=3) as fixture,
        ):
            await fixture.wait_for_running(running=True)
            await fixture.wait_for_running(running=False, component="scheduler")
            getattr(nats, end)()
            await fixture.wait_for_running(running=None)
            await fixture.wait_for_running(running=None, component="scheduler")
            lost = fixture.registry.of("core")
            assert (lost.how, lost.at is None) == (None, False)
            nats.start()
            await fixture.wait_for_running(running=True)
            await fixture.wait_for_running(running=False, component="scheduler")
            assert fixture.changes_of() == [True, None, True]
            assert fixture.changes_of("scheduler") == [False, None, False]

    asyncio.run(scenario())


def test_outage_restarts_the_time_of_each_component(nats):
    """A component is not expired before its full time has passed since the reconnect."""

    async def scenario():
        async with HeartbeatFixture(nats.url, alive_s=0.7) as fixture:
            await fixture.wait_for_running(running=False)
            nats.kill()
            await fixture.wait_for_running(running=None)
            began = fixture.clock.monotonic()
            nats.start()
            await fixture.wait_for_running(running=False)
            assert fixture.changes[-1][2] - began >= 0.7

    asyncio.run(scenario())


def test_outage_without_a_closed_connection_marks_no_component_as_not_running(nats, monkeypatch):
    """Over a dead connection health is unknown instead of not running."""

    async def scenario():
        async with fake_component(nats.url), HeartbeatFixture(nats.url, alive_s=2, interval_s=30) as fixture:
            await fixture.wait_for_running(running=True)
            monkeypatch.setattr(nats_connection, "ROUND_TRIP_S", 0.5)
            nats.freeze()
            await until(lambda: fixture.log_lines("WARNING"), "the outage")
            nats.thaw()
            assert fixture.changes_of() == [True, None]

    asyncio.run(scenario())


def test_monitor_waits_for_a_server_that_starts_late(stopped_server, attempts):
    """The monitor retries, logs the reason once, and connects when the server has started."""

    async def scenario():
        async with HeartbeatFixture(stopped_server.url) as fixture:
            await until(lambda: len(attempts) >= 4, "several attempts")
            assert len(fixture.log_lines("WARNING")) == 1
            assert f"NATS at 127.0.0.1:{stopped_server.port}: " in fixture.log[0]
            assert "Connect call failed" in fixture.log[0]
            stopped_server.start()
            async with fake_component(stopped_server.url):
                await fixture.wait_for_running(running=True)
            assert [line.split(":")[0] for line in fixture.log] == ["WARNING", "INFO"]

    asyncio.run(scenario())


def test_monitor_logs_each_outage(nats, attempts):
    """Each connection and each loss is logged."""

    async def scenario():
        async with HeartbeatFixture(nats.url) as fixture:
            for count in (1, 2, 3):
                await until(lambda count=count: len(fixture.log_lines("INFO")) == count, "a connection")
                nats.kill()
                await until(lambda: fixture.log[-1].startswith("WARNING"), "its loss")
                before = len(attempts)
                await until(lambda before=before: len(attempts) > before + 1, "a failed attempt")
                nats.start()

    asyncio.run(scenario())


def test_monitor_connects_with_the_configured_token(secured):
    """The token is sent to the server."""

    async def scenario():
        async with fake_component(secured.url, token=TOKEN), HeartbeatFixture(secured.url, token=TOKEN) as fixture:
            await fixture.wait_for_running(running=True)

    asyncio.run(scenario())


@pytest.mark.parametrize("token", ["wrong-token", None])
def test_monitor_logs_a_wrong_token_once(secured, attempts, token):
    """The monitor retries; the log has the reason once, and never the token."""

    async def scenario():
        async with HeartbeatFixture(secured.url, token=token) as fixture:
            await until(lambda: len(attempts) >= 4, "several attempts")
            assert len(fixture.log) == 1
            assert "Authorization Violation" in fixture.log[0]
            assert "wrong-token" not in fixture.log[0]
            assert fixture.registry.of("core") == HealthStatus(None, None, None)

    asyncio.run(scenario())


def test_monitor_does_not_log_a_password_in_the_url(stopped_server):
    """The log has only host and port of the URL."""

    async def scenario():
        async with HeartbeatFixture(stopped_server.url.replace("://", "://user:secret@")) as fixture:
            await until(lambda: fixture.log, "a log line")
            assert f"127.0.0.1:{stopped_server.port}" in fixture.log[0]
            assert "secret" not in fixture.log[0]

    asyncio.run(scenario())


def test_outage_keeps_health_from_other_sources(nats):
    """The results of a health check and of an update are kept."""

    async def scenario():
        async with HeartbeatFixture(nats.url, components=("core", "scheduler")) as fixture:
            await fixture.wait_for_connection()
            fixture.registry.record("core", True, HealthSource.HEALTH_CHECK)
            fixture.registry.record("scheduler", False, HealthSource.UPDATE)
            nats.kill()
            await until(lambda: fixture.log_lines("WARNING"), "the outage")
            assert fixture.registry.of("core").running is True
            assert fixture.registry.of("scheduler").running is False
            assert fixture.changes == []

    asyncio.run(scenario())
