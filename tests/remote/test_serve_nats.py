"""Serve: heartbeats over a real NATS server."""

from __future__ import annotations

import asyncio
import json

import pytest
from nats import connect

from tests.support.real_host import stays


@pytest.fixture
def up(serving, nats):
    """Everything runs; heartbeats are frequent, and prove liveness for a short time."""
    serving.sections["nats"] = {"url": nats.url, "interval_s": 0.2, "alive_s": 2}
    serving.github.publish("owner/core", "1.1.0")
    serving.host.start()
    serving.start()
    return serving


async def _answer_once(url, component):
    """Act as a component that answers one heartbeat request."""
    connection = await connect(url)
    asked = await connection.subscribe(f"dunebugger.{component}.heartbeat")
    question = json.loads((await asked.next_msg(timeout=60)).data)
    answer = {"subject": "heartbeat", "body": "I am alive", "source": component, "destination": question["source"]}
    await connection.publish("dunebugger.remote.heartbeat", json.dumps(answer).encode())
    await connection.flush()
    await connection.close()
    return question


def of(component, running):
    """Whether a body says that of a component."""
    return lambda body: (body["component"], body["running"]) == (component, running)


def test_serve_follows_heartbeats(up, nats):
    """A component runs after its answer, and does not run once it is silent; each with time and source."""
    client = up.connect()
    question = asyncio.run(_answer_once(nats.url, "core"))
    assert question["body"] == "are you there?"
    running = client.expect("component_running", of("core", True))
    assert running["how"] == "heartbeat"
    assert running["at"]
    silent = client.expect("component_running", of("core", False))
    assert silent["at"] > running["at"]
    client.send("controller.system_info", "refresh")
    info = client.expect("system_info")["system_info"]["dunebugger_components"]
    assert next(view for view in info if view["name"] == "core")["running"] is False


def test_serve_submits_no_health_check_with_heartbeats(up):
    """After an update none is submitted; on demand one is."""
    client = up.connect(since=0)
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_result")
    client.expect("update_check_result")
    checks = len([run for run in up.host.runs() if run.startswith("health-check.sh")])
    stays(lambda: len([run for run in up.host.runs() if run.startswith("health-check.sh")]) == checks, "no more", 0.5)
    client.send("updater.health", {"component": "core"})
    assert client.expect("health_result")["success"]


def test_serve_updates_without_the_nats_server(up, nats):
    """It is unknown which components run, and updates go on."""
    nats.kill()
    client = up.connect()
    client.send("updater.perform_update", {"component": "core"})
    assert client.expect("update_result")["success"]
    client.send("controller.system_info", "refresh")
    info = client.expect("system_info")["system_info"]["dunebugger_components"]
    assert {view["running"] for view in info} == {None}
