"""Serve: commands that are answered without the host."""

from __future__ import annotations

import pytest

from tests.support.polling import wait_until


@pytest.mark.parametrize("subject", ["updater.perform_update", "updater.rollback", "updater.health"])
def test_serve_rejects_an_unknown_component(shared_server, subject):
    """No request is submitted; the error lists the known components."""
    client = shared_server.connect()
    client.send(subject, {"component": "kore"})
    result = client.expect("health_result" if subject.endswith("health") else "update_result")
    assert (result["success"], result["reason"]) == (False, "unknown_component")
    assert "core, scheduler" in result["message"]
    assert client.expect("log") == {"level": "error", "message": result["message"]}


@pytest.mark.parametrize("body", [None, "", "null", {}, {"force": False}])
def test_serve_accepts_a_check_without_a_body(shared_server, body):
    """DuneBugger's own clients send the text "null"."""
    client = shared_server.connect(since=0)
    client.send("updater.check_updates", body)
    assert client.expect("update_check_result")["components"]["core"]["latest"] == "1.1.0"


def test_serve_answers_a_heartbeat_request_at_once(shared_server):
    """Only the requesting client receives `I am alive`."""
    other, client = shared_server.connect(), shared_server.connect()
    client.send("controller.heartbeat", "anything")
    assert client.expect("heartbeat") == "I am alive"
    other.send("updater.outstanding")
    other.expect("outstanding")
    assert [message["subject"] for message in other.received if message["subject"] == "heartbeat"] == []


def test_serve_reports_system_info(serving):
    """The message has every field that DuneBugger's own clients read."""
    serving.sections["device"] = {"id": "dune-7", "location": "Cape Town"}
    serving.github.publish("owner/core", "1.1.0", notes="faster")
    serving.start()
    client = serving.connect(since=0)
    client.expect("update_check_result")
    client.send("controller.system_info", "refresh", source="panel")
    info = client.expect("system_info")["system_info"]
    assert set(info) == {
        *("device_id", "timestamp", "dunebugger_components", "hardware", "os", "network", "location"),
    }
    assert (info["device_id"], info["location"]) == ("dune-7", "Cape Town")
    core = next(view for view in info["dunebugger_components"] if view["name"] == "core")
    assert (core["current_version"], core["latest_version"], core["update_available"]) == ("1.0.0", "1.1.0", True)
    assert {"running", "last_checked", "release_notes", "release_url"} <= set(core)
    assert client.received[-1]["destination"] == "panel"


@pytest.mark.parametrize(
    ("subject", "answer", "text"),
    [
        ("updater.rollback", "update_result", "would restore the version of dunebugger-core before"),
        ("updater.health", "health_result", "would check dunebugger-core; nothing was changed"),
    ],
)
def test_serve_writes_nothing_in_a_dry_run(shared_server, subject, answer, text):
    """The answer describes what the command would do."""
    client = shared_server.connect()
    client.send(subject, {"component": "core", "dry_run": True})
    result = client.expect(answer)
    assert (result["success"], result["dry_run"]) == (True, True)
    assert text in result["message"]
    assert list(shared_server.host.requests.iterdir()) == []


def test_serve_sends_a_forced_check_to_the_release_server(shared_server):
    """A check without force is answered from the known releases."""
    wait_until(lambda: len(shared_server.github.requests) >= 2, "the check at startup")
    client = shared_server.connect(since=0)
    before = len(shared_server.github.requests)
    client.send("updater.check_updates")
    client.expect("update_check_result")
    assert len(shared_server.github.requests) == before
    client.send("updater.check_updates", {"force": True})
    wait_until(
        lambda: [request.status for request in shared_server.github.requests[before:]] == [304] * 2, "two requests"
    )


def test_serve_reads_installed_versions_before_every_decision(shared_server):
    """A version that another tool installed is used at once."""
    version = shared_server.directory() / "VERSION"
    version.write_text("1.1.0\n")
    client = shared_server.connect()
    client.send("updater.perform_update", {"component": "core"})
    result = client.expect("update_result")
    version.write_text("1.0.0\n")
    assert (result["success"], result["reason"]) == (True, "up_to_date")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("core", "--dry-run"), 0, "would update dunebugger-core from 1.0.0 to 1.1.0; nothing was changed"),
        (("kore",), 1, "cannot find the component 'kore'"),
    ],
)
def test_update_command_exits_with_the_result(shared_server, arguments, code, text):
    """Success is printed to stdout, failure to stderr."""
    done = shared_server.cli("update", *arguments)
    assert done.returncode == code
    assert text in (done.stderr if code else done.stdout)
