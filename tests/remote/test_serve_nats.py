"""Serve: heartbeats over a real NATS server."""

from __future__ import annotations

import asyncio
import json

import pytest
from nats import connect

from tests.support.real_host import stays


@pytest.fixture
def running_server(serving, nats):
    """Server, coordinator and NATS are running; heartbeats are frequent, and expire after a short time."""
    serving.sections["nats"] = {"url": nats.url, "interval_s": 0.2, "alive_s": 2}
    serving.github.publish("owner/core", "1.1.0")
    serving.host.start()
    serving.start()
    return serving


async def _answer_once(url, component):
    """Answer one heartbeat request as the component."""
    connection = await connect(url)
    subscription = await connection.subscribe(f"dunebugger.{component}.heartbeat")
    request = json.loads((await subscription.next_msg(timeout=60)).data)
    answer = {"subject": "heartbeat", "body": "I am alive", "source": component, "destination": request["source"]}
    await connection.publish("dunebugger.remote.heartbeat", json.dumps(answer).encode())
    await connection.flush()
    await connection.close()
    return request


def has_status(component, running):
    """A condition: the body reports this ``running`` value of the component."""
    return lambda body: (body["component"], body["running"]) == (component, running)


def test_serve_follows_heartbeats(running_server, nats):
    """A component is running after its answer, and not running after its time without one; both have a time."""
    client = running_server.connect()
    request = asyncio.run(_answer_once(nats.url, "core"))
    assert request["body"] == "are you there?"
    running = client.expect("component_running", has_status("core", True))
    assert running["how"] == "heartbeat"
    assert running["at"]
    expired = client.expect("component_running", has_status("core", False))
    assert expired["at"] > running["at"]
    client.send("controller.system_info", "refresh")
    info = client.expect("system_info")["system_info"]["dunebugger_components"]
    assert next(view for view in info if view["name"] == "core")["running"] is False


def test_serve_submits_no_health_check_with_heartbeats(running_server):
    """No health check follows an update; a client can still request one."""
    client = running_server.connect(since=0)
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_result")
    client.expect("update_check_result")
    checks = len([run for run in running_server.host.runs() if run.startswith("health-check.sh")])
    stays(
        lambda: len([run for run in running_server.host.runs() if run.startswith("health-check.sh")]) == checks,
        "no check",
        0.5,
    )
    client.send("updater.health", {"component": "core"})
    assert client.expect("health_result")["success"]


def test_serve_updates_without_the_nats_server(running_server, nats):
    """The health of the components is unknown, and updates succeed."""
    nats.kill()
    client = running_server.connect()
    client.send("updater.perform_update", {"component": "core"})
    assert client.expect("update_result")["success"]
    client.send("controller.system_info", "refresh")
    info = client.expect("system_info")["system_info"]["dunebugger_components"]
    assert {view["running"] for view in info} == {None}
