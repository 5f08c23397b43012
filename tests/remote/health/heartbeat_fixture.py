"""Heartbeats on a real bus: what is tested, a component that is not, and waiting for what follows."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager

from loguru import logger
from nats.aio.client import Client

from protocol.clock import SystemClock
from remote.health.health_registry import Board
from remote.health.heartbeats import Heartbeats
from remote.settings import NatsSettings

DEADLINE_S = 60
FOR_EVER_S = 10 * DEADLINE_S


async def until(condition, what):
    """Wait until ``condition`` is true; fail with ``what`` when it never is."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"waited {DEADLINE_S} s in vain: {what}"
        await asyncio.sleep(0.005)


class Stage:
    """What is tested, and what became of it: every change with its time, every line of the log."""

    def __init__(self, url, *, token=None, alive_s=FOR_EVER_S, interval_s=0.1, components=("core", "remote")):
        self.clock = SystemClock()
        self.board = Board(components, "remote", self.clock)
        self.changes = []
        self.log = []
        settings = NatsSettings(url=url, interval_s=interval_s, alive_s=alive_s)
        self._heartbeats = Heartbeats(settings, token, components, self.board, self._note, self.clock)

    async def __aenter__(self):
        self._sink = logger.add(self.log.append, format="{level}: {message}")
        self.task = asyncio.create_task(self._heartbeats.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        (outcome,) = await asyncio.gather(self.task, return_exceptions=True)
        logger.remove(self._sink)
        assert isinstance(outcome, asyncio.CancelledError), f"run() ended by itself: {outcome!r}"

    def _note(self, component):
        self.changes.append((component, self.board.of(component).running, time.monotonic()))

    def told(self, component="core"):
        """What ``running`` became, one after the other."""
        return [running for name, running, _ in self.changes if name == component]

    def lines(self, level):
        """The log's lines of one level."""
        return [line for line in self.log if line.startswith(level)]

    async def learns(self, running, component="core"):
        """Wait until that is known."""
        await until(lambda: self.board.of(component).running is running, f"{component}: {running}; {self.log}")

    async def listens(self):
        """Wait until there is a line to the server."""
        await until(lambda: self.lines("INFO"), f"a line; {self.log}")


class StandIn:
    """A component as its program is: it answers questions while ``answers``, and may speak by itself."""

    def __init__(self, client, name):
        self._client = client
        self._name = name
        self.answers = True
        self.asked = []
        self.spoke_at = None

    async def say(self, subject="dunebugger.log", **parts):
        """Publish a message of this component."""
        self.spoke_at = time.monotonic()
        await self._client.publish(subject, json.dumps({"source": self._name, **parts}).encode())
        await self._client.flush()

    async def say_raw(self, content, subject="dunebugger.log"):
        """Publish anything."""
        await self._client.publish(subject, content)
        await self._client.flush()

    async def hear(self, message):
        self.asked.append((message.subject, json.loads(message.data)))
        if self.answers:
            self.spoke_at = time.monotonic()
            answer = {"subject": "heartbeat", "body": "I am alive", "source": self._name, "destination": "remote"}
            await self._client.publish(self.asked[-1][1]["reply_subject"], json.dumps(answer).encode())


@asynccontextmanager
async def stand_in(url, *, name="core", token=None, answers=True):
    """A component that is connected, and reconnects by itself."""
    client = Client()

    async def ignore(_):
        """What goes wrong while the server is away."""

    await client.connect(
        url, token=token, no_echo=True, reconnect_time_wait=0.02, max_reconnect_attempts=-1, error_cb=ignore
    )
    component = StandIn(client, name)
    component.answers = answers
    try:
        await client.subscribe("dunebugger.*.heartbeat", cb=component.hear)
        await client.flush()
        yield component
    finally:
        await client.close()


async def send_raw(port, commands):
    """Send a server anything, as a client that keeps to no rules, until it has taken it all."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b'CONNECT {"verbose": false}\r\n' + commands + b"PING\r\n")
    await reader.readuntil(b"PONG\r\n")
    writer.close()
    await writer.wait_closed()
