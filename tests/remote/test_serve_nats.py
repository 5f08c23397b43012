"""Heartbeats over a real NATS server, as people see them."""

from __future__ import annotations

import asyncio
import json

import pytest
from nats import connect

from tests.support.real_host import stays


@pytest.fixture
def up(serving, nats):
    """Everything runs; components are asked often, and do not live long."""
    serving.sections["nats"] = {"url": nats.url, "interval_s": 0.2, "alive_s": 2}
    serving.github.publish("owner/core", "1.1.0")
    serving.host.start()
    serving.start()
    return serving


async def _answer_once(url, component):
    """Be a component that answers one question."""
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


def test_a_component_runs_as_long_as_its_heartbeats_are_heard(up, nats):
    """Asked as the issue says; running after its answer, not running when it falls silent, each with when and how."""
    client = up.connect()
    question = asyncio.run(_answer_once(nats.url, "core"))
    assert question["body"] == "are you there?"
    running = client.expect("component_running", of("core", True))
    assert running["how"] == "heartbeat"
    assert running["at"]
    silent = client.expect("component_running", of("core", False))
    assert silent["at"] > running["at"]
    client.say("controller.system_info", "refresh")
    info = client.expect("system_info")["system_info"]["dunebugger_components"]
    assert next(view for view in info if view["name"] == "core")["running"] is False


def test_nobody_is_asked_for_a_health_check_where_heartbeats_tell(up):
    """After an update the coordinator is not asked; on demand it is."""
    client = up.connect()
    client.say("updater.perform_update", {"component": "core"})
    client.expect("update_result")
    client.expect("update_check_result")
    checks = len([run for run in up.host.runs() if run.startswith("health-check.sh")])
    stays(lambda: len([run for run in up.host.runs() if run.startswith("health-check.sh")]) == checks, "no more", 0.5)
    client.say("updater.health", {"component": "core"})
    assert client.expect("health_result")["success"]


def test_without_the_server_everything_else_works(up, nats):
    """It is not known what runs, and updates go on."""
    nats.kill()
    client = up.connect()
    client.say("updater.perform_update", {"component": "core"})
    assert client.expect("update_result")["success"]
    client.say("controller.system_info", "refresh")
    info = client.expect("system_info")["system_info"]["dunebugger_components"]
    assert {view["running"] for view in info} == {None}
