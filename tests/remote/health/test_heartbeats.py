"""Heartbeat monitor with a real NATS server and a fake component."""

import asyncio
import json

import pytest
from heartbeat_fixture import HeartbeatFixture, fake_component, send_raw, until

from protocol.clock import SystemClock
from remote.health import nats_connection
from remote.health.health_registry import HealthRegistry, HealthSource, HealthStatus
from remote.health.heartbeats import HeartbeatMonitor
from remote.settings import NatsSettings


def test_monitor_marks_a_responding_component_as_running(nats):
    """The source of the status is the heartbeat."""

    async def scenario():
        async with fake_component(nats.url), HeartbeatFixture(nats.url) as fixture:
            await fixture.wait_for_running(running=True)
            assert fixture.registry.of("core").how is HealthSource.HEARTBEAT
            assert fixture.changes[0][:2] == ("core", True)

    asyncio.run(scenario())


def test_monitor_sends_requests_to_every_other_component(nats):
    """Each component except this program receives one request per interval, on its own subject."""

    async def scenario():
        async with (
            fake_component(nats.url, responds=False) as listener,
            HeartbeatFixture(nats.url, components=("core", "scheduler", "remote")),
        ):
            await until(lambda: len(listener.requests) >= 6, "three rounds of requests")
            assert [message["destination"] for _, message in listener.requests[:4]] == ["core", "scheduler"] * 2
            assert {subject for subject, _ in listener.requests} == {
                "dunebugger.core.heartbeat",
                "dunebugger.scheduler.heartbeat",
            }
            assert all(message["source"] == "remote" for _, message in listener.requests)

    asyncio.run(scenario())


def test_monitor_waits_an_interval_between_requests(nats):
    """The monitor sends the second request after the interval has passed."""

    async def scenario():
        async with fake_component(nats.url) as core, HeartbeatFixture(nats.url, interval_s=2) as fixture:
            await until(lambda: core.requests, "a request")
            first = core.sent_at
            await until(lambda: len(core.requests) == 2, "a second request")
            assert core.sent_at - first > 1  # the first may have arrived late
            assert fixture.changes_of() == [True]

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["core", "Core", "DUNEBUGGER-core"])
@pytest.mark.parametrize("subject", ["dunebugger.log", "dunebugger.scheduler.a.b", "dunebugger.remote.heartbeat"])
def test_monitor_accepts_any_message_of_a_component(nats, name, subject):
    """The subject and the case of the sender's name are irrelevant."""

    async def scenario():
        async with fake_component(nats.url, name=name, responds=False) as core, HeartbeatFixture(nats.url) as fixture:
            await fixture.wait_for_connection()
            await core.publish(subject, body={"level": 3})
            await fixture.wait_for_running(running=True)

    asyncio.run(scenario())


def test_monitor_marks_a_component_without_messages_as_not_running(nats):
    """The health is unknown until ``alive_s`` has passed, then not running."""

    async def scenario():
        async with HeartbeatFixture(nats.url, alive_s=0.5) as fixture:
            assert fixture.registry.of("core") == HealthStatus(None, None, None)
            began = fixture.clock.monotonic()
            await fixture.wait_for_running(running=False)
            assert fixture.changes_of() == [False]
            assert fixture.changes[0][2] - began >= 0.5
            assert fixture.registry.of("core").how is HealthSource.HEARTBEAT

    asyncio.run(scenario())


def test_monitor_follows_a_component_that_stops_and_resumes(nats):
    """A component is running for ``alive_s`` after its latest message, and again from the next message."""

    async def scenario():
        async with fake_component(nats.url) as core, HeartbeatFixture(nats.url, alive_s=3, interval_s=0.2) as fixture:
            await until(lambda: len(core.requests) >= 18, "answers for longer than alive_s")
            assert fixture.registry.of("core").running is True
            core.responds = False
            await fixture.wait_for_running(running=False)
            assert fixture.changes[-1][2] - core.sent_at >= 3
            core.responds = True
            await fixture.wait_for_running(running=True)

    asyncio.run(scenario())


def test_monitor_ignores_its_own_messages_and_unknown_senders(nats):
    """Messages of this program, and of unknown senders, mark no component as running."""

    async def scenario():
        async with (
            fake_component(nats.url, name="remote") as ours,
            fake_component(nats.url, name="unknown"),
            HeartbeatFixture(nats.url, alive_s=0.5) as fixture,
        ):
            await ours.publish("dunebugger.core.heartbeat", destination="core")
            await fixture.wait_for_running(running=False)
            assert fixture.changes_of() == [False]
            assert fixture.changes_of("remote") == []

    asyncio.run(scenario())


def test_monitor_keeps_the_time_of_the_first_heartbeat(nats):
    """Further heartbeats do not change the status; they replace one from another source."""

    async def scenario():
        async with fake_component(nats.url) as core, HeartbeatFixture(nats.url) as fixture:
            await fixture.wait_for_running(running=True)
            before = fixture.registry.of("core")
            count = len(core.requests)
            await until(lambda: len(core.requests) >= count + 3, "more requests")
            assert fixture.registry.of("core") == before
            fixture.registry.record("core", False, HealthSource.HEALTH_CHECK)
            await fixture.wait_for_running(running=True)
            assert fixture.registry.of("core").how is HealthSource.HEARTBEAT
            fixture.registry.record("core", True, HealthSource.HEALTH_CHECK)
            await until(lambda: fixture.registry.of("core").how is HealthSource.HEARTBEAT, "a heartbeat")
            assert fixture.changes_of() == [True, True]

    asyncio.run(scenario())


INVALID_MESSAGES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'["core"]',
    b'{"source": 7}',
    b"\xff\xfe",
    b"[" * 200_000,
    b"x" * 1_000_000,
]


def test_monitor_ignores_invalid_messages(nats):
    """Invalid messages of any size and number change nothing and do not end the connection."""

    async def scenario():
        async with fake_component(nats.url, responds=False) as core, HeartbeatFixture(nats.url) as fixture:
            await fixture.wait_for_connection()
            for content in INVALID_MESSAGES * 5:
                await core.publish_raw(content)
            await core.publish_raw(json.dumps({"source": "core", "body": "x" * 500_000}).encode())
            assert fixture.changes_of() == []
            await core.publish()
            await fixture.wait_for_running(running=True)
            assert len(fixture.log_lines("INFO")) == 1

    asyncio.run(scenario())


def test_monitor_drops_messages_over_the_memory_limit(nats, monkeypatch):
    """A message over the limit is dropped, and the connection stays open."""
    monkeypatch.setattr(nats_connection, "_PENDING_BYTES", 1000)

    async def scenario():
        async with fake_component(nats.url, responds=False) as core, HeartbeatFixture(nats.url) as fixture:
            await fixture.wait_for_connection()
            await core.publish_raw(b"x" * 2000)
            await core.publish()
            await fixture.wait_for_running(running=True)
            assert fixture.log_lines("WARNING") == []

    asyncio.run(scenario())


def test_monitor_receives_a_component_during_a_flood_of_messages(nats):
    """50,000 messages of unknown senders delay neither the component nor the connection."""
    message = b'PUB dunebugger.log 21\r\n{"source": "unknown"}\r\n'

    async def scenario():
        async with fake_component(nats.url, responds=False) as core, HeartbeatFixture(nats.url) as fixture:
            await fixture.wait_for_connection()
            await send_raw(nats.port, message * 50_000)
            await core.publish()
            await fixture.wait_for_running(running=True)
            assert fixture.log_lines("WARNING") == []

    asyncio.run(scenario())


def test_monitor_skips_a_component_name_that_is_not_a_valid_subject(nats):
    """The component stays unknown, and the others are monitored (I16)."""

    async def scenario():
        async with (
            fake_component(nats.url),
            HeartbeatFixture(nats.url, components=("a..b", "core"), alive_s=0.5) as fixture,
        ):
            await fixture.wait_for_running(running=True)
            began = fixture.clock.monotonic()
            await until(lambda: fixture.clock.monotonic() - began > 1, "more than alive_s")
            assert fixture.registry.of("a..b").running is None
            assert fixture.log_lines("WARNING") == []

    asyncio.run(scenario())


def test_monitor_continues_after_an_error_of_its_listener(nats):
    """An exception of ``changed`` for one component does not prevent the records of the others (I16)."""

    async def scenario():
        async with (
            fake_component(nats.url) as core,
            HeartbeatFixture(nats.url, components=("core", "scheduler"), alive_s=1, interval_s=0.2) as fixture,
        ):
            fixture.fails = True
            await fixture.wait_for_running(running=True)
            await fixture.wait_for_running(running=False, component="scheduler")
            core.responds = False
            await fixture.wait_for_running(running=False)
            assert len(fixture.log_lines("INFO")) == 1  # the connection
            assert len(fixture.log_lines("ERROR: cannot publish whether")) == len(fixture.changes) == 3

    asyncio.run(scenario())


def test_monitor_reconnects_after_an_unexpected_error(nats, monkeypatch):
    """A defect ends one connection: it is logged, health is unknown, and the next connection works (I16)."""
    original, calls = HeartbeatMonitor._send_requests, []

    async def failing_once(monitor, connection):
        calls.append(connection)
        if len(calls) == 1:
            raise ZeroDivisionError
        await original(monitor, connection)

    monkeypatch.setattr(HeartbeatMonitor, "_send_requests", failing_once)

    async def scenario():
        async with fake_component(nats.url), HeartbeatFixture(nats.url) as fixture:
            await fixture.wait_for_running(running=True)
            assert "unexpected ZeroDivisionError" in fixture.log_lines("WARNING")[0]
            assert calls[0] is not calls[1]

    asyncio.run(scenario())


def test_monitor_ends_at_once_without_a_configured_server():
    """The health of every component stays unknown."""
    clock = SystemClock()
    registry = HealthRegistry(["core"], None, clock)
    asyncio.run(HeartbeatMonitor(NatsSettings(), None, ["core"], registry, pytest.fail, clock).run())
    assert registry.of("core") == HealthStatus(None, None, None)
