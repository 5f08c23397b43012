"""Everything that can keep an answer away: each told apart, in words, with the remedy."""

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
    client.say("updater.perform_update", {"component": "core"} | more)
    return client.expect("update_result", lambda body: body["component"] == "core")


def test_a_coordinator_that_does_not_run_is_named(ready):
    """The request is withdrawn, so that it does not run unasked some day; nothing was changed."""
    ready.sections["gateway"]["pickup_s"] = 0.5
    ready.start()
    result = result_of_an_update(ready)
    assert (result["success"], result["reason"], result["state"]) == (False, "coordinator_not_running", None)
    assert "systemctl status dunebugger-update-coordinator" in result["message"]
    assert list(ready.host.requests.glob("*.json")) == []
    ready.host.start()
    stays(lambda: ready.host.runs() == [], "nothing runs", 1.0)
    assert ready.installed() == "1.0.0"


def test_after_such_a_trouble_the_next_wish_is_granted(ready):
    """The component is not taken for busy."""
    ready.sections["gateway"]["pickup_s"] = 0.5
    ready.start()
    assert result_of_an_update(ready)["reason"] == "coordinator_not_running"
    ready.host.start()
    assert result_of_an_update(ready)["success"]


def test_a_request_that_waits_for_its_turn_is_not_withdrawn(ready):
    """The coordinator took it up: another component holds the lock, and it may take its time."""
    ready.sections["gateway"]["pickup_s"] = 0.5
    for name in ("core", "scheduler"):
        ready.host.set(f"components.{name}", lock="one")
    ready.github.publish("owner/scheduler", "1.1.0")
    ready.pause("scheduler")
    ready.host.start()
    ready.start()
    first, second = ready.connect(), ready.connect()
    first.say("updater.perform_update", {"component": "scheduler"})
    first.expect("update_progress", lambda body: body["phase"] == "download")
    second.say("updater.perform_update", {"component": "core"})
    second.expect("update_progress", lambda body: body["component"] == "core" and body["state"] == "validated")
    stays(lambda: list(ready.host.requests.glob("*.json")), "the request stays", 1.5)
    ready.resume("scheduler")
    assert second.expect("update_result", lambda body: body["component"] == "core")["success"]


def test_a_volume_that_is_not_mounted_is_named(ready):
    """With the question that leads to the remedy."""
    ready.host.requests.rmdir()
    ready.start()
    result = result_of_an_update(ready)
    assert (result["success"], result["reason"]) == (False, "volume_missing")
    assert "is the shared volume mounted there" in result["message"]


def test_a_folder_that_is_not_ours_to_write_is_named(ready):
    """As a user without root's powers, which a container's is."""
    ready.wrapper = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
    ready.host.requests.chmod(0o555)
    ready.host.start()
    ready.start()
    result = result_of_an_update(ready)
    assert (result["success"], result["reason"]) == (False, "not_writable")
    assert "let this user write there" in result["message"]
    rehearsed = result_of_an_update(ready, dry_run=True)
    assert (rehearsed["success"], rehearsed["reason"], rehearsed["dry_run"]) == (False, "not_writable", True)


def test_a_state_folder_that_is_full_or_gone_is_named(ready):
    """Nothing is asked of the host that could not be remembered."""
    ready.host.start()
    ready.start()
    (ready.state / "requests").rmdir()
    (ready.state / "requests").write_text("in the way")
    result = result_of_an_update(ready)
    assert (result["success"], result["reason"]) == (False, "cannot_keep")
    assert ready.host.runs() == []


def test_an_update_that_takes_too_long_is_told_and_its_late_answer_too(ready):
    """The first answer says that it may still come; the true one replaces it, marked as late."""
    ready.sections["gateway"]["timeout_s"] = 1
    ready.pause()
    ready.host.start()
    ready.start()
    client = ready.connect()
    client.say("updater.perform_update", {"component": "core"})
    first = client.expect("update_result")
    assert (first["success"], first["reason"], first["late"]) == (False, "no_answer", False)
    assert "may still be under way" in first["message"]
    ready.resume()
    late = client.expect("update_result")
    assert (late["success"], late["late"], late["request_id"]) == (True, True, first["request_id"])
    client.say("updater.history", {"component": "core"})
    update = client.expect("history")["requests"][-1]
    assert (update["success"], update["state"]) == (True, "succeeded")


def test_a_late_answer_is_also_taken_after_a_restart(ready):
    """The record stays open until the coordinator has spoken."""
    ready.sections["gateway"]["timeout_s"] = 1
    ready.pause()
    ready.host.start()
    ready.start()
    client = ready.connect()
    client.say("updater.perform_update", {"component": "core"})
    client.expect("update_result")
    ready.kill()
    ready.resume()
    until(lambda: list(ready.host.status.glob("*.json")), "the answer")
    ready.start()
    assert ready.connect(since=client.last).expect("update_result")["late"]


def test_a_coordinator_that_is_killed_meanwhile_loses_nothing(ready):
    """It is started again, and its answer arrives."""
    ready.pause()
    ready.host.start()
    ready.start()
    client = ready.connect()
    client.say("updater.perform_update", {"component": "core"})
    client.expect("update_progress", lambda body: body["phase"] == "download")
    ready.host.kill()
    ready.host.start()
    ready.resume()
    assert client.expect("update_result")["success"]


def test_a_release_server_that_is_down_does_not_keep_from_updating(ready):
    """What it said last is remembered over a restart, and shown with its age and the trouble."""
    ready.host.start()
    ready.start()
    client = ready.connect()
    client.say("updater.check_updates")
    checked = client.expect("update_check_result", lambda body: body["components"]["core"]["latest"])
    ready.stop()
    ready.github.close()
    ready.start()
    client = ready.connect()
    client.say("updater.check_updates", {"force": True})
    view = client.expect("update_check_result", lambda body: body["components"]["core"]["error"])["components"]["core"]
    assert (view["latest"], view["update_available"]) == ("1.1.0", True)
    assert view["last_checked"] == checked["components"]["core"]["last_checked"]
    assert "cannot check" in view["error"]
    client.say("updater.perform_update", {"component": "core"})
    assert client.expect("update_result")["success"]


def test_without_any_known_release_nothing_is_updated(ready):
    """And the reason is told."""
    ready.github.close()
    ready.host.start()
    ready.start()
    result = result_of_an_update(ready)
    assert (result["success"], result["reason"]) == (False, "no_release")
    assert "cannot check" in result["message"]


def test_a_version_that_cannot_be_told_is_no_obstacle(ready):
    """Somebody whose VERSION file is broken may still update."""
    (ready.directory() / "VERSION").write_text("\n")
    ready.host.start()
    ready.start()
    client = ready.connect()
    client.say("updater.check_updates")
    view = client.expect("update_check_result", lambda body: body["components"]["core"]["latest"])["components"]["core"]
    assert (view["current"], view["update_available"]) == (None, False)
    assert result_of_an_update(ready)["success"]


def test_a_check_that_could_not_be_made_takes_nothing_back(ready):
    """The coordinator has stopped since: what was learned before is as true as before."""
    ready.sections["gateway"]["pickup_s"] = 0.5
    ready.host.start()
    ready.start()
    client = ready.connect()
    client.say("updater.health", {"component": "core"})
    assert client.expect("health_result")["running"] is True
    ready.host.stop()
    client.say("updater.health", {"component": "core"})
    assert client.expect("health_result")["reason"] == "coordinator_not_running"
    client.say("updater.check_updates")
    assert client.expect("update_check_result")["components"]["core"]["running"] is True


def test_a_health_check_that_cannot_be_asked_for_is_for_the_log_alone(ready):
    """The folder is not ours to write any more when the update is over: its answer is told all the same, and once."""
    ready.wrapper = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
    ready.host.start()
    ready.start()
    ready.pause()
    client = ready.connect()
    client.say("updater.perform_update", {"component": "core"})
    client.expect("update_progress", lambda body: body["phase"] == "download")
    ready.host.requests.chmod(0o555)
    ready.resume()
    assert client.expect("update_result")["success"]
    until(lambda: "cannot have core checked after its update" in ready.log(), "a line in the log")
    until(lambda: not list(ready.host.status.glob("*.json")), "the answer to be taken")
    client.say("updater.outstanding")
    assert client.expect("outstanding") == {"requests": []}
    assert [message["subject"] for message in client.heard].count("update_result") == 1


def test_after_what_never_ran_nothing_is_checked(ready):
    """The host does not know the component: there is one request, and no second one to say so again."""
    ready.sections["components.extra"] = ready.sections["components.core"] | {"repository": "core"}
    ready.host.start()
    ready.start()
    client = ready.connect()
    client.say("updater.perform_update", {"component": "extra"})
    assert client.expect("update_result")["reason"] == "unknown_component"
    until(lambda: not list(ready.host.status.glob("*.json")), "the answer to be taken")
    client.say("updater.history")
    assert [asked["action"] for asked in client.expect("history")["requests"]] == ["update"]


def test_a_health_check_that_waits_keeps_no_update_waiting(ready):
    """It changes nothing; so an update may be asked for beside it, and both are answered."""
    ready.start()
    client, other = ready.connect(), ready.connect()
    client.say("updater.health", {"component": "core"})
    client.expect("update_progress", lambda body: body["action"] == "health")
    client.say("updater.perform_update", {"component": "core"})
    client.expect("update_progress", lambda body: body["action"] == "update")
    ready.host.start()
    assert client.expect("health_result", lambda body: not body["automatic"])["success"]
    assert other.expect("update_result")["success"]  # in whichever order they are told
