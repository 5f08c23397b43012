"""Test fixture for heartbeats with a real NATS server: the monitor, a fake component, and waiting for results."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager

from loguru import logger
from nats.aio.client import Client

from protocol.clock import SystemClock
from remote.health.health_registry import HealthRegistry
from remote.health.heartbeats import HeartbeatMonitor
from remote.settings import NatsSettings

DEADLINE_S = 60
LONG_S = 10 * DEADLINE_S


async def until(condition, what):
    """Wait until ``condition`` is true; fail with ``what`` after the deadline."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"not within {DEADLINE_S} s: {what}"
        await asyncio.sleep(0.005)


class HeartbeatFixture:
    """A running monitor; collects each change with its time, and the log."""

    def __init__(self, url, *, token=None, alive_s=LONG_S, interval_s=0.1, components=("core", "remote")):
        self.clock = SystemClock()
        self.registry = HealthRegistry(components, "remote", self.clock)
        self.changes = []
        self.fails = False  # whether the listener raises after each change
        self.log = []
        settings = NatsSettings(url=url, interval_s=interval_s, alive_s=alive_s)
        self._monitor = HeartbeatMonitor(settings, token, components, self.registry, self._note, self.clock)

    async def __aenter__(self):
        self._sink = logger.add(self.log.append, format="{level}: {message}")
        self.task = asyncio.create_task(self._monitor.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        (outcome,) = await asyncio.gather(self.task, return_exceptions=True)
        logger.remove(self._sink)
        assert isinstance(outcome, asyncio.CancelledError), f"run() ended: {outcome!r}"

    def _note(self, component):
        self.changes.append((component, self.registry.of(component).running, time.monotonic()))
        if self.fails:
            raise ZeroDivisionError

    def changes_of(self, component="core"):
        """Return the values of ``running``, in order."""
        return [running for name, running, _ in self.changes if name == component]

    def log_lines(self, level):
        """Return the log lines of one level."""
        return [line for line in self.log if line.startswith(level)]

    async def wait_for_running(self, running, component="core"):
        """Wait until ``running`` has this value."""
        await until(lambda: self.registry.of(component).running is running, f"{component}: {running}; {self.log}")

    async def wait_for_connection(self):
        """Wait until the monitor is connected."""
        await until(lambda: self.log_lines("INFO"), f"a connection; {self.log}")


class FakeComponent:
    """A component that answers heartbeat requests while ``responds`` is true, and can send other messages."""

    def __init__(self, client, name):
        self._client = client
        self._name = name
        self.responds = True
        self.requests = []
        self.sent_at = None

    async def publish(self, subject="dunebugger.log", **fields):
        """Publish a message of this component."""
        self.sent_at = time.monotonic()
        await self._client.publish(subject, json.dumps({"source": self._name, **fields}).encode())
        await self._client.flush()

    async def publish_raw(self, content, subject="dunebugger.log"):
        """Publish any content."""
        await self._client.publish(subject, content)
        await self._client.flush()

    async def on_request(self, message):
        self.requests.append((message.subject, json.loads(message.data)))
        if self.responds:
            self.sent_at = time.monotonic()
            answer = {"subject": "heartbeat", "body": "I am alive", "source": self._name, "destination": "remote"}
            await self._client.publish(self.requests[-1][1]["reply_subject"], json.dumps(answer).encode())


@asynccontextmanager
async def fake_component(url, *, name="core", token=None, responds=True):
    """A connected fake component, which reconnects automatically."""
    client = Client()

    async def ignore(_):
        """Ignore errors while the server is down."""

    await client.connect(
        url, token=token, no_echo=True, reconnect_time_wait=0.02, max_reconnect_attempts=-1, error_cb=ignore
    )
    component = FakeComponent(client, name)
    component.responds = responds
    try:
        await client.subscribe("dunebugger.*.heartbeat", cb=component.on_request)
        await client.flush()
        yield component
    finally:
        await client.close()


async def send_raw(port, commands):
    """Send raw protocol commands, until the server has processed them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b'CONNECT {"verbose": false}\r\n' + commands + b"PING\r\n")
    await reader.readuntil(b"PONG\r\n")
    writer.close()
    await writer.wait_closed()
