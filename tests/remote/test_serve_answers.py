"""Serve: commands that it answers without the host."""

from __future__ import annotations

import pytest

from tests.support.real_host import until


@pytest.mark.parametrize("subject", ["updater.perform_update", "updater.rollback", "updater.health"])
def test_serve_rejects_an_unknown_component(alone, subject):
    """Nothing is submitted; the error lists the known ones."""
    client = alone.connect()
    client.send(subject, {"component": "kore"})
    result = client.expect("health_result" if subject.endswith("health") else "update_result")
    assert (result["success"], result["reason"]) == (False, "unknown_component")
    assert "core, scheduler" in result["message"]
    assert client.expect("log") == {"level": "error", "message": result["message"]}


@pytest.mark.parametrize("body", [None, "", "null", {}, {"force": False}])
def test_serve_accepts_a_check_without_a_body(alone, body):
    """DuneBugger's own clients send the word null."""
    client = alone.connect(since=0)
    client.send("updater.check_updates", body)
    assert client.expect("update_check_result")["components"]["core"]["latest"] == "1.1.0"


def test_serve_sends_a_heartbeat_at_once(alone):
    """`I am alive`, to the requesting client only."""
    other, client = alone.connect(), alone.connect()
    client.send("controller.heartbeat", "anything")
    assert client.expect("heartbeat") == "I am alive"
    other.send("updater.outstanding")
    other.expect("outstanding")
    assert [message["subject"] for message in other.received if message["subject"] == "heartbeat"] == []


def test_serve_reports_system_info(serving):
    """With all parts that DuneBugger's own clients read."""
    serving.sections["device"] = {"id": "dune-7", "location": "in the sand"}
    serving.github.publish("owner/core", "1.1.0", notes="faster")
    serving.start()
    client = serving.connect(since=0)
    client.expect("update_check_result")
    client.send("controller.system_info", "refresh", source="panel")
    info = client.expect("system_info")["system_info"]
    assert set(info) == {
        *("device_id", "timestamp", "dunebugger_components", "hardware", "os", "network", "location"),
    }
    assert (info["device_id"], info["location"]) == ("dune-7", "in the sand")
    core = next(view for view in info["dunebugger_components"] if view["name"] == "core")
    assert (core["current_version"], core["latest_version"], core["update_available"]) == ("1.0.0", "1.1.0", True)
    assert {"running", "last_checked", "release_notes", "release_url"} <= set(core)
    assert client.received[-1]["destination"] == "panel"


@pytest.mark.parametrize(
    ("subject", "answer", "told"),
    [
        ("updater.rollback", "update_result", "would restore the version of dunebugger-core before"),
        ("updater.health", "health_result", "would check dunebugger-core; nothing was changed"),
    ],
)
def test_serve_writes_nothing_in_a_dry_run(alone, subject, answer, told):
    """The answer says what would happen."""
    client = alone.connect()
    client.send(subject, {"component": "core", "dry_run": True})
    result = client.expect(answer)
    assert (result["success"], result["dry_run"]) == (True, True)
    assert told in result["message"]
    assert list(alone.host.requests.iterdir()) == []


def test_serve_asks_the_release_server_for_a_forced_check(alone):
    """An unforced one is answered from what is known."""
    until(lambda: len(alone.github.answers) >= 2, "the check at the start")
    client = alone.connect(since=0)
    before = len(alone.github.answers)
    client.send("updater.check_updates")
    client.expect("update_check_result")
    assert len(alone.github.answers) == before
    client.send("updater.check_updates", {"force": True})
    until(lambda: [answered.status for answered in alone.github.answers[before:]] == [304] * 2, "two questions more")


def test_serve_reads_installed_versions_before_every_decision(alone):
    """A version that another tool installed counts at once."""
    version = alone.directory() / "VERSION"
    version.write_text("1.1.0\n")
    client = alone.connect()
    client.send("updater.perform_update", {"component": "core"})
    result = client.expect("update_result")
    version.write_text("1.0.0\n")
    assert (result["success"], result["reason"]) == (True, "up_to_date")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("core", "--dry-run"), 0, "would update dunebugger-core from 1.0.0 to 1.1.0; nothing was changed"),
        (("kore",), 1, "cannot find the component 'kore'"),
    ],
)
def test_update_command_exits_with_the_result(alone, arguments, code, words):
    """Success is printed to stdout, failure to stderr."""
    done = alone.cli("update", *arguments)
    assert done.returncode == code
    assert words in (done.stderr if code else done.stdout)
