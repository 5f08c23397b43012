"""Serve: each failure that prevents an answer is reported by itself, with the remedy."""

from __future__ import annotations

import pytest

from tests.support.real_host import stays, until


@pytest.fixture
def ready(serving):
    """Serve could run; core has an update. The coordinator is off."""
    serving.github.publish("owner/core", "1.1.0")
    serving.github.publish("owner/scheduler", "1.0.0")
    return serving


def result_of_an_update(serving, **more):
    """What comes of an update of core."""
    client = serving.connect()
    client.send("updater.perform_update", {"component": "core"} | more)
    return client.expect("update_result", lambda body: body["component"] == "core")


def test_serve_reports_a_coordinator_that_does_not_run(ready):
    """The request is withdrawn, so that it does not run unexpectedly later; nothing was changed."""
    ready.sections["gateway"]["pickup_s"] = 0.5
    ready.start()
    result = result_of_an_update(ready)
    assert (result["success"], result["reason"], result["state"]) == (False, "coordinator_not_running", None)
    assert "systemctl status dunebugger-update-coordinator" in result["message"]
    assert list(ready.host.requests.glob("*.json")) == []
    ready.host.start()
    stays(lambda: ready.host.runs() == [], "nothing runs", 1.0)
    assert ready.installed() == "1.0.0"


def test_serve_submits_again_after_a_failure(ready):
    """The component does not count as busy."""
    ready.sections["gateway"]["pickup_s"] = 0.5
    ready.start()
    assert result_of_an_update(ready)["reason"] == "coordinator_not_running"
    ready.host.start()
    assert result_of_an_update(ready)["success"]


def test_serve_does_not_withdraw_a_request_that_waits_for_its_turn(ready):
    """The coordinator took it up: another component holds the lock."""
    ready.sections["gateway"]["pickup_s"] = 0.5
    for name in ("core", "scheduler"):
        ready.host.set(f"components.{name}", lock="one")
    ready.github.publish("owner/scheduler", "1.1.0")
    ready.pause("scheduler")
    ready.host.start()
    ready.start()
    first, second = ready.connect(), ready.connect()
    first.send("updater.perform_update", {"component": "scheduler"})
    first.expect("update_progress", lambda body: body["phase"] == "download")
    second.send("updater.perform_update", {"component": "core"})
    second.expect("update_progress", lambda body: body["component"] == "core" and body["state"] == "validated")
    stays(lambda: list(ready.host.requests.glob("*.json")), "the request stays", 1.5)
    ready.resume("scheduler")
    assert second.expect("update_result", lambda body: body["component"] == "core")["success"]


def test_serve_reports_a_missing_volume(ready):
    """With a question that leads to the remedy."""
    ready.host.requests.rmdir()
    ready.start()
    result = result_of_an_update(ready)
    assert (result["success"], result["reason"]) == (False, "volume_missing")
    assert "is the shared volume mounted there" in result["message"]


def test_serve_reports_a_folder_that_is_not_writable(ready):
    """As a user without root's capabilities, as in the container."""
    ready.wrapper = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
    ready.host.requests.chmod(0o555)
    ready.host.start()
    ready.start()
    result = result_of_an_update(ready)
    assert (result["success"], result["reason"]) == (False, "not_writable")
    assert "make it writable for this user" in result["message"]
    rehearsed = result_of_an_update(ready, dry_run=True)
    assert (rehearsed["success"], rehearsed["reason"], rehearsed["dry_run"]) == (False, "not_writable", True)


def test_serve_reports_a_state_file_that_is_gone(ready):
    """No request is submitted that could not be recorded (I2)."""
    ready.host.start()
    ready.start()
    (ready.state / "state.sqlite").unlink()
    result = result_of_an_update(ready)
    assert (result["success"], result["reason"]) == (False, "cannot_keep")
    assert ready.host.runs() == []


def test_serve_reports_a_timeout_and_then_the_late_answer(ready):
    """The first answer says that the request may still be under way; the true one replaces it, marked as late."""
    ready.sections["gateway"]["timeout_s"] = 1
    ready.pause()
    ready.host.start()
    ready.start()
    client = ready.connect()
    client.send("updater.perform_update", {"component": "core"})
    first = client.expect("update_result")
    assert (first["success"], first["reason"], first["late"]) == (False, "no_answer", False)
    assert "may still be under way" in first["message"]
    ready.resume()
    late = client.expect("update_result")
    assert (late["success"], late["late"], late["request_id"]) == (True, True, first["request_id"])
    client.send("updater.history", {"component": "core"})
    update = client.expect("history")["requests"][-1]
    assert (update["success"], update["state"]) == (True, "succeeded")


def test_serve_takes_a_late_answer_after_a_restart(ready):
    """The record stays open until the coordinator answers."""
    ready.sections["gateway"]["timeout_s"] = 1
    ready.pause()
    ready.host.start()
    ready.start()
    client = ready.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_result")
    ready.kill()
    ready.resume()
    until(lambda: list(ready.host.status.glob("*.json")), "the answer")
    ready.start()
    assert ready.connect(since=client.last).expect("update_result")["late"]


def test_serve_gets_the_answer_of_a_coordinator_that_was_killed(ready):
    """It is restarted, and its answer arrives."""
    ready.pause()
    ready.host.start()
    ready.start()
    client = ready.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_progress", lambda body: body["phase"] == "download")
    ready.host.kill()
    ready.host.start()
    ready.resume()
    assert client.expect("update_result")["success"]


def test_serve_updates_while_the_release_server_is_down(ready):
    """Its last answer is kept over a restart, and shown with its age and the error."""
    ready.host.start()
    ready.start()
    client = ready.connect(since=0)
    client.send("updater.check_updates")
    checked = client.expect("update_check_result", lambda body: body["components"]["core"]["latest"])
    ready.stop()
    ready.github.close()
    ready.start()
    client = ready.connect(since=0)
    client.send("updater.check_updates", {"force": True})
    view = client.expect("update_check_result", lambda body: body["components"]["core"]["error"])["components"]["core"]
    assert (view["latest"], view["update_available"]) == ("1.1.0", True)
    assert view["last_checked"] == checked["components"]["core"]["last_checked"]
    assert "cannot check" in view["error"]
    client.send("updater.perform_update", {"component": "core"})
    assert client.expect("update_result")["success"]


def test_serve_rejects_an_update_without_a_known_release(ready):
    """With the error of the check."""
    ready.github.close()
    ready.host.start()
    ready.start()
    result = result_of_an_update(ready)
    assert (result["success"], result["reason"]) == (False, "no_release")
    assert "cannot check" in result["message"]


def test_serve_updates_a_component_of_unknown_version(ready):
    """A broken VERSION file does not prevent an update."""
    (ready.directory() / "VERSION").write_text("\n")
    ready.host.start()
    ready.start()
    client = ready.connect(since=0)
    client.send("updater.check_updates")
    view = client.expect("update_check_result", lambda body: body["components"]["core"]["latest"])["components"]["core"]
    assert (view["current"], view["update_available"]) == (None, False)
    assert result_of_an_update(ready)["success"]


def test_serve_keeps_the_known_health_when_a_check_cannot_be_made(ready):
    """The coordinator has stopped since: the earlier result stays valid."""
    ready.sections["gateway"]["pickup_s"] = 0.5
    ready.host.start()
    ready.start()
    client = ready.connect()
    client.send("updater.health", {"component": "core"})
    assert client.expect("health_result")["running"] is True
    ready.host.stop()
    client.send("updater.health", {"component": "core"})
    assert client.expect("health_result")["reason"] == "coordinator_not_running"
    client.send("updater.check_updates")
    assert client.expect("update_check_result")["components"]["core"]["running"] is True


def test_serve_only_logs_an_automatic_check_that_cannot_be_submitted(ready):
    """The folder is read-only when the update ends: its answer is announced nevertheless, and once."""
    ready.wrapper = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
    ready.host.start()
    ready.start()
    ready.pause()
    client = ready.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_progress", lambda body: body["phase"] == "download")
    ready.host.requests.chmod(0o555)
    ready.resume()
    assert client.expect("update_result")["success"]
    until(lambda: "cannot check the health of core after its update" in ready.log(), "a line in the log")
    until(lambda: not list(ready.host.status.glob("*.json")), "the answer to be taken")
    client.send("updater.outstanding")
    assert client.expect("outstanding") == {"requests": []}
    assert [message["subject"] for message in client.received].count("update_result") == 1


def test_serve_submits_no_health_check_when_no_script_ran(ready):
    """The host does not know the component: there is one request, and no second one."""
    ready.sections["components.extra"] = ready.sections["components.core"] | {"repository": "core"}
    ready.host.start()
    ready.start()
    client = ready.connect()
    client.send("updater.perform_update", {"component": "extra"})
    assert client.expect("update_result")["reason"] == "unknown_component"
    until(lambda: not list(ready.host.status.glob("*.json")), "the answer to be taken")
    client.send("updater.history")
    assert [asked["action"] for asked in client.expect("history")["requests"]] == ["update"]


def test_serve_submits_an_update_beside_a_waiting_health_check(ready):
    """A health check changes nothing: an update may be submitted beside it, and both are answered."""
    ready.start()
    client, other = ready.connect(), ready.connect()
    client.send("updater.health", {"component": "core"})
    client.expect("update_progress", lambda body: body["action"] == "health")
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_progress", lambda body: body["action"] == "update")
    ready.host.start()
    assert client.expect("health_result", lambda body: not body["automatic"])["success"]
    assert other.expect("update_result")["success"]  # in any order
