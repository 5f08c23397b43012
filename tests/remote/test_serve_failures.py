"""Serve: each failure that prevents an answer has its own reason and remedy."""

from __future__ import annotations

import pytest

from tests.support.polling import wait_until
from tests.support.real_host import stays


@pytest.fixture
def configured(serving):
    """A configured server that is not started; core has an update. The coordinator is not running."""
    serving.github.publish("owner/core", "1.1.0")
    serving.github.publish("owner/scheduler", "1.0.0")
    return serving


def result_of_an_update(serving, **more):
    """Request an update of core, and return its result."""
    client = serving.connect()
    client.send("updater.perform_update", {"component": "core"} | more)
    return client.expect("update_result", lambda body: body["component"] == "core")


def test_serve_reports_a_coordinator_that_is_not_running(configured):
    """The request is withdrawn, so that it does not run unexpectedly later; nothing is changed."""
    configured.sections["gateway"]["pickup_s"] = 0.5
    configured.start()
    result = result_of_an_update(configured)
    assert (result["success"], result["reason"], result["state"]) == (False, "coordinator_not_running", None)
    assert "systemctl status dunebugger-update-coordinator" in result["message"]
    assert list(configured.host.requests.glob("*.json")) == []
    configured.host.start()
    stays(lambda: configured.host.runs() == [], "nothing runs", 1.0)
    assert configured.installed() == "1.0.0"


def test_serve_submits_again_after_a_failure(configured):
    """The failed request does not make the component busy."""
    configured.sections["gateway"]["pickup_s"] = 0.5
    configured.start()
    assert result_of_an_update(configured)["reason"] == "coordinator_not_running"
    configured.host.start()
    assert result_of_an_update(configured)["success"]


def test_serve_does_not_withdraw_a_request_that_waits_for_its_turn(configured):
    """The coordinator has admitted the request; another component holds its lock."""
    configured.sections["gateway"]["pickup_s"] = 0.5
    for name in ("core", "scheduler"):
        configured.host.set(f"components.{name}", lock="one")
    configured.github.publish("owner/scheduler", "1.1.0")
    configured.pause("scheduler")
    configured.host.start()
    configured.start()
    first, second = configured.connect(), configured.connect()
    first.send("updater.perform_update", {"component": "scheduler"})
    first.expect("update_progress", lambda body: body["phase"] == "download")
    second.send("updater.perform_update", {"component": "core"})
    second.expect("update_progress", lambda body: body["component"] == "core" and body["state"] == "validated")
    stays(lambda: list(configured.host.requests.glob("*.json")), "the request stays", 1.5)
    configured.resume("scheduler")
    assert second.expect("update_result", lambda body: body["component"] == "core")["success"]


def test_serve_reports_a_missing_volume(configured):
    """The message suggests the missing mount as the cause."""
    configured.host.requests.rmdir()
    configured.start()
    result = result_of_an_update(configured)
    assert (result["success"], result["reason"]) == (False, "volume_missing")
    assert "is the shared volume mounted there" in result["message"]


def test_serve_reports_a_folder_that_is_not_writable(configured):
    """The server has no capabilities, as in the container."""
    configured.wrapper = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
    configured.host.requests.chmod(0o555)
    configured.host.start()
    configured.start()
    result = result_of_an_update(configured)
    assert (result["success"], result["reason"]) == (False, "not_writable")
    assert "make it writable for this user" in result["message"]
    dry_run = result_of_an_update(configured, dry_run=True)
    assert (dry_run["success"], dry_run["reason"], dry_run["dry_run"]) == (False, "not_writable", True)


def test_serve_reports_a_removed_state_file(configured):
    """A request that cannot be recorded is not submitted (I2)."""
    configured.host.start()
    configured.start()
    (configured.state / "state.sqlite").unlink()
    result = result_of_an_update(configured)
    assert (result["success"], result["reason"]) == (False, "cannot_keep")
    assert configured.host.runs() == []


def test_serve_reports_a_timeout_and_then_the_late_answer(configured):
    """The first result says that the request may still be under way; the coordinator's answer replaces it as late."""
    configured.sections["gateway"]["timeout_s"] = 1
    configured.pause()
    configured.host.start()
    configured.start()
    client = configured.connect()
    client.send("updater.perform_update", {"component": "core"})
    first = client.expect("update_result")
    assert (first["success"], first["reason"], first["late"]) == (False, "no_answer", False)
    assert "may still be under way" in first["message"]
    configured.resume()
    late = client.expect("update_result")
    assert (late["success"], late["late"], late["request_id"]) == (True, True, first["request_id"])
    client.send("updater.history", {"component": "core"})
    update = client.expect("history")["requests"][-1]
    assert (update["success"], update["state"]) == (True, "succeeded")


def test_serve_takes_a_late_answer_after_a_restart(configured):
    """The record stays open until the coordinator's answer arrives."""
    configured.sections["gateway"]["timeout_s"] = 1
    configured.pause()
    configured.host.start()
    configured.start()
    client = configured.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_result")
    configured.kill()
    configured.resume()
    wait_until(lambda: list(configured.host.status.glob("*.json")), "the answer")
    configured.start()
    assert configured.connect(since=client.last).expect("update_result")["late"]


def test_serve_receives_the_answer_of_a_restarted_coordinator(configured):
    """The coordinator is killed during the update and restarted; its answer reaches the client."""
    configured.pause()
    configured.host.start()
    configured.start()
    client = configured.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_progress", lambda body: body["phase"] == "download")
    configured.host.kill()
    configured.host.start()
    configured.resume()
    assert client.expect("update_result")["success"]


def test_serve_updates_while_the_release_server_is_down(configured):
    """The last known release is kept across a restart, and reported with its age and the error."""
    configured.host.start()
    configured.start()
    client = configured.connect(since=0)
    client.send("updater.check_updates")
    checked = client.expect("update_check_result", lambda body: body["components"]["core"]["latest"])
    configured.stop()
    configured.github.close()
    configured.start()
    client = configured.connect(since=0)
    client.send("updater.check_updates", {"force": True})
    view = client.expect("update_check_result", lambda body: body["components"]["core"]["error"])["components"]["core"]
    assert (view["latest"], view["update_available"]) == ("1.1.0", True)
    assert view["last_checked"] == checked["components"]["core"]["last_checked"]
    assert "cannot check" in view["error"]
    client.send("updater.perform_update", {"component": "core"})
    assert client.expect("update_result")["success"]


def test_serve_rejects_an_update_without_a_known_release(configured):
    """The message has the error of the failed check."""
    configured.github.close()
    configured.host.start()
    configured.start()
    result = result_of_an_update(configured)
    assert (result["success"], result["reason"]) == (False, "no_release")
    assert "cannot check" in result["message"]


def test_serve_updates_a_component_of_unknown_version(configured):
    """A VERSION file without a version does not prevent an update."""
    (configured.directory() / "VERSION").write_text("\n")
    configured.host.start()
    configured.start()
    client = configured.connect(since=0)
    client.send("updater.check_updates")
    view = client.expect("update_check_result", lambda body: body["components"]["core"]["latest"])["components"]["core"]
    assert (view["current"], view["update_available"]) == (None, False)
    assert result_of_an_update(configured)["success"]


def test_serve_keeps_the_known_health_after_a_failed_health_request(configured):
    """The coordinator stops between two checks: the earlier result stays valid."""
    configured.sections["gateway"]["pickup_s"] = 0.5
    configured.host.start()
    configured.start()
    client = configured.connect()
    client.send("updater.health", {"component": "core"})
    assert client.expect("health_result")["running"] is True
    configured.host.stop()
    client.send("updater.health", {"component": "core"})
    assert client.expect("health_result")["reason"] == "coordinator_not_running"
    client.send("updater.check_updates")
    assert client.expect("update_check_result")["components"]["core"]["running"] is True


def test_serve_only_logs_an_automatic_check_that_cannot_be_submitted(configured):
    """The requests folder is read-only when the update ends; the answer is still announced, exactly once."""
    configured.wrapper = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
    configured.host.start()
    configured.start()
    configured.pause()
    client = configured.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_progress", lambda body: body["phase"] == "download")
    configured.host.requests.chmod(0o555)
    configured.resume()
    assert client.expect("update_result")["success"]
    wait_until(lambda: "cannot check the health of core after its update" in configured.log(), "a line in the log")
    wait_until(lambda: not list(configured.host.status.glob("*.json")), "the answer to be taken")
    client.send("updater.outstanding")
    assert client.expect("outstanding") == {"requests": []}
    assert [message["subject"] for message in client.received].count("update_result") == 1


def test_serve_submits_no_health_check_when_no_script_ran(configured):
    """The host does not know the component: the update is the only request."""
    configured.sections["components.extra"] = configured.sections["components.core"] | {"repository": "core"}
    configured.host.start()
    configured.start()
    client = configured.connect()
    client.send("updater.perform_update", {"component": "extra"})
    assert client.expect("update_result")["reason"] == "unknown_component"
    wait_until(lambda: not list(configured.host.status.glob("*.json")), "the answer to be taken")
    client.send("updater.history")
    assert [entry["action"] for entry in client.expect("history")["requests"]] == ["update"]


def test_serve_submits_an_update_while_a_health_check_waits(configured):
    """A health check changes nothing: an update may be submitted while it waits, and both are answered."""
    configured.start()
    client, other = configured.connect(), configured.connect()
    client.send("updater.health", {"component": "core"})
    client.expect("update_progress", lambda body: body["action"] == "health")
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_progress", lambda body: body["action"] == "update")
    configured.host.start()
    assert client.expect("health_result", lambda body: not body["automatic"])["success"]
    assert other.expect("update_result")["success"]  # the other client, because the order is not defined
