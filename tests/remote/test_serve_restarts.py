"""Serve: no event or answer is lost when it exits or is killed, as in every update of `remote` itself."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.support.polling import wait_until
from tests.support.real_host import DEADLINE_S, REPOSITORY


@pytest.fixture
def up(serving):
    """Server and coordinator are running; core has an update from 1.0.0 to 1.1.0, which is paused."""
    serving.github.publish("owner/core", "1.1.0")
    serving.github.publish("owner/scheduler", "1.0.0")
    serving.host.start()
    serving.start()
    serving.pause()
    return serving


def start_update(up):
    """Start an update of core, wait for its first phase, and return the client."""
    client = up.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_progress", lambda body: body["phase"] == "download")
    return client


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_serve_announces_an_answer_that_arrived_while_it_was_down(up, end):
    """The record is on disk: a client that returns with its last event number receives the result."""
    client = start_update(up)
    last = client.last
    getattr(up, end)()
    up.resume()
    wait_until(lambda: up.installed() == "1.1.0" and list(up.host.status.glob("*.json")), "the answer")
    up.start()
    returning = up.connect(since=last)
    result = returning.expect("update_result")
    assert (result["component"], result["success"], result["state"]) == ("core", True, "succeeded")
    assert min(message["seq"] for message in returning.received if "seq" in message) > last
    wait_until(lambda: not list(up.host.status.glob("*.json")), "the answer to be taken")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_serve_follows_a_running_update_after_a_restart(up, end):
    """The request is listed as outstanding, and its result is announced."""
    client = start_update(up)
    getattr(up, end)()
    up.start()
    returning = up.connect(since=client.last)
    assert returning.connected["complete"] is False
    returning.send("updater.outstanding")
    (request,) = returning.expect("outstanding")["requests"]
    assert (request["component"], request["action"], request["version"]) == ("core", "update", "1.1.0")
    up.resume()
    assert returning.expect("update_result")["success"]


@pytest.mark.parametrize("action", ["update", "health"])
def test_serve_announces_the_answer_of_a_removed_component_once(up, action):
    """A submitted request has an answer; no further request is submitted for the component."""
    if action == "update":
        client = start_update(up)
    else:
        up.host.stop()
        client = up.connect()
        client.send("updater.health", {"component": "core"})
        client.expect("update_progress")
    up.stop()
    del up.sections["components.core"]
    up.resume()
    up.start()
    if action == "health":
        up.host.start()
    returning = up.connect(since=client.last)
    result = returning.expect(f"{action}_result")
    assert (result["component"], result["success"]) == ("core", True)
    wait_until(lambda: not list(up.host.status.glob("*.json")), "the answer to be taken")
    returning.send("updater.history")
    assert [entry["action"] for entry in returning.expect("history")["requests"]] == [action]
    assert [message["subject"] for message in returning.received].count(f"{action}_result") == 1


def test_serve_replays_a_result_after_a_restart(up):
    """The result is replayed from its record; a client that has received it does not receive it again."""
    client = start_update(up)
    before = client.last
    up.resume()
    client.expect("update_result")
    client.expect("health_result")
    client.expect("log")
    up.kill()
    up.start()
    missed, seen = up.connect(since=before), up.connect(since=client.last)
    results = [missed.expect("update_result"), missed.expect("health_result")]
    assert [result["success"] for result in results] == [True, True]
    replayed = [message for message in missed.received if message["subject"] == "update_result"]
    assert replayed == [message for message in client.received if message["subject"] == "update_result"]
    seen.send("updater.history")
    seen.expect("history")
    assert [
        message for message in seen.received if message["subject"].endswith("_result") and "state" in message["body"]
    ] == []


def test_serve_replays_all_events_to_a_returning_client(up):
    """The client receives every missed event once, in order."""
    watching, client = up.connect(), start_update(up)
    last = client.last
    client.close()
    up.resume()
    for subject in ("update_result", "health_result", "component_running"):
        watching.expect(subject)
    returning = up.connect(since=last)
    assert returning.connected["complete"] is True
    returning.expect("component_running")
    expected = [message for message in watching.received if message.get("seq", 0) > last]
    assert [message for message in returning.received if "seq" in message] == expected


def test_serve_never_repeats_event_numbers(up):
    """Numbers are unique across restarts, also after a SIGKILL."""
    first = start_update(up).last
    up.kill()
    up.start()
    client = up.connect()
    up.resume()
    client.expect("update_result")
    assert min(message["seq"] for message in client.received if "seq" in message) > first


def test_serve_exits_with_0_on_sigterm_with_clients(up):
    """Docker stops the container with SIGTERM: connected clients and a running update do not block the exit."""
    start_update(up)
    assert up.stop() == 0
    assert "Traceback" not in up.log()


def test_serve_does_not_start_with_a_locked_state_folder(up):
    """A second server exits with 2, because two servers would take each other's answers."""
    done = up.cli("serve")
    assert done.returncode == 2
    assert "another dunebugger-remote works there" in done.stderr


def test_serve_loses_no_answer_when_killed_while_taking_it(up):
    """The server is killed repeatedly while answers arrive: each reaches the returning client and is recorded once."""
    up.resume()
    client = up.connect()
    for _ in range(6):
        client.send("updater.health", {"component": "scheduler"})
        client.expect("update_progress", lambda body: body["component"] == "scheduler")
        assert up.process is not None
        up.process.send_signal(signal.SIGKILL)
        up.kill()
        up.start()
        client = up.connect(since=client.last)
        assert client.expect("health_result")["success"]
    client.send("updater.history")
    requests = client.expect("history")["requests"]
    assert len(requests) == 6
    assert all(entry["success"] for entry in requests)
    wait_until(lambda: not [*up.host.status.glob("*.json"), *up.host.requests.glob("*.json")], "empty folders")


def test_serve_exits_when_one_of_its_loops_fails(serving):
    """The exit code is 1, so that the container's runtime restarts it; the log has the cause."""
    broken = (
        "from remote.gateway.gateway import Gateway\n"
        "async def run(self): raise RuntimeError('unexpected')\n"
        "Gateway.run = run\n"
        "from remote.cli import main; main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", broken, "serve", "--config", str(serving.write_config())],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot continue: a part of this program ended" in done.stderr
    assert "unexpected" in done.stderr
