"""What serve answers by itself: nothing here asks anything of the host."""

from __future__ import annotations

import pytest

from tests.support.real_host import until


@pytest.mark.parametrize("subject", ["updater.perform_update", "updater.rollback", "updater.health"])
def test_an_unknown_component_is_refused_with_the_known_ones(alone, subject):
    """Nothing is asked of the host."""
    client = alone.connect()
    client.say(subject, {"component": "kore"})
    result = client.expect("health_result" if subject.endswith("health") else "update_result")
    assert (result["success"], result["reason"]) == (False, "unknown_component")
    assert "core, scheduler" in result["message"]
    assert client.expect("log") == {"level": "error", "message": result["message"]}


@pytest.mark.parametrize("body", [None, "", "null", {}, {"force": False}])
def test_a_check_may_be_asked_for_with_any_kind_of_nothing(alone, body):
    """DuneBugger's own clients send the word null."""
    client = alone.connect()
    client.say("updater.check_updates", body)
    assert client.expect("update_check_result")["components"]["core"]["latest"] == "1.1.0"


def test_a_heartbeat_answers_at_once(alone):
    """`I am alive`, to the one who asked."""
    other, client = alone.connect(), alone.connect()
    client.say("controller.heartbeat", "anything")
    assert client.expect("heartbeat") == "I am alive"
    other.say("updater.outstanding")
    other.expect("outstanding")
    assert [message["subject"] for message in other.heard if message["subject"] == "heartbeat"] == []


def test_system_info_tells_of_the_machine_and_its_components(serving):
    """All parts that DuneBugger's own clients read."""
    serving.sections["device"] = {"id": "dune-7", "location": "in the sand"}
    serving.github.publish("owner/core", "1.1.0", notes="faster")
    serving.start()
    client = serving.connect()
    client.expect("update_check_result")
    client.say("controller.system_info", "refresh", source="panel")
    info = client.expect("system_info")["system_info"]
    assert set(info) == {
        *("device_id", "timestamp", "dunebugger_components", "hardware", "os", "network", "location"),
    }
    assert (info["device_id"], info["location"]) == ("dune-7", "in the sand")
    core = next(view for view in info["dunebugger_components"] if view["name"] == "core")
    assert (core["current_version"], core["latest_version"], core["update_available"]) == ("1.0.0", "1.1.0", True)
    assert {"running", "last_checked", "release_notes", "release_url"} <= set(core)
    assert client.heard[-1]["destination"] == "panel"


@pytest.mark.parametrize(
    ("subject", "answer", "told"),
    [
        ("updater.rollback", "update_result", "would put dunebugger-core back to what was there before"),
        ("updater.health", "health_result", "would check dunebugger-core; nothing was changed"),
    ],
)
def test_a_dry_run_of_anything_writes_nothing(alone, subject, answer, told):
    """It tells what would happen."""
    client = alone.connect()
    client.say(subject, {"component": "core", "dry_run": True})
    result = client.expect(answer)
    assert (result["success"], result["dry_run"]) == (True, True)
    assert told in result["message"]
    assert list(alone.host.requests.iterdir()) == []


def test_a_check_that_is_forced_asks_the_releases_server_anew(alone):
    """One that is not takes what is known."""
    until(lambda: len(alone.github.answers) >= 2, "the check at the start")
    client = alone.connect()
    before = len(alone.github.answers)
    client.say("updater.check_updates")
    client.expect("update_check_result")
    assert len(alone.github.answers) == before
    client.say("updater.check_updates", {"force": True})
    until(lambda: [answered.status for answered in alone.github.answers[before:]] == [304] * 2, "two questions more")


def test_what_somebody_else_installed_counts_at_once(alone):
    """The installed version is read anew before every decision."""
    version = alone.directory() / "VERSION"
    version.write_text("1.1.0\n")
    client = alone.connect()
    client.say("updater.perform_update", {"component": "core"})
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
def test_the_command_line_ends_with_how_it_went(alone, arguments, code, words):
    """What went well is on stdout, what did not is on stderr."""
    done = alone.cli("update", *arguments)
    assert done.returncode == code
    assert words in (done.stderr if code else done.stdout)
