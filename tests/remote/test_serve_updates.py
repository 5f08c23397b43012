"""Serve: updates, with a real coordinator, real scripts and a real WebSocket."""

from __future__ import annotations

import json

import pytest

from tests.support.real_host import stays, until


@pytest.fixture
def up(serving):
    """Everything runs; core has an update from 1.0.0 to 1.1.0."""
    serving.github.publish("owner/core", "1.0.0")
    serving.github.publish("owner/core", "1.1.0", notes="faster")
    serving.github.publish("owner/scheduler", "1.0.0")
    serving.host.start()
    serving.start()
    return serving


def of(component, **fields):
    """A condition: a body of this component with these fields."""
    return lambda body: body["component"] == component and all(body[key] == value for key, value in fields.items())


def test_serve_compares_installed_with_released_versions(up):
    """For every component."""
    client = up.connect(since=0)
    client.send("updater.check_updates", {"force": True})
    found = client.expect("update_check_result")["components"]
    assert {name: (view["current"], view["latest"], view["update_available"]) for name, view in found.items()} == {
        "core": ("1.0.0", "1.1.0", True),
        "scheduler": ("1.0.0", "1.0.0", False),
    }
    assert found["core"]["release_notes"] == "faster"
    assert found["core"]["last_checked"]


def test_serve_follows_an_update_from_the_command_to_the_result(up):
    """Progress with the script's phases and output, then the result, a line for the log, and the new comparison."""
    client = up.connect()
    up.pause()
    client.send("updater.perform_update", {"component": "core", "dry_run": False})
    first = client.expect("update_progress", of("core"))
    assert (first["state"], first["version"]) == ("submitted", "1.1.0")
    seen = client.expect("update_progress", lambda body: "fetching 1.1.0" in body["output"] and body["error"])
    assert (seen["state"], seen["phase"], seen["percent"]) == ("running", "download", 20)
    assert "a warning of 1.1.0" in seen["error"]
    up.resume()
    result = client.expect("update_result", of("core"))
    assert (result["success"], result["state"], result["reason"], result["dry_run"]) == (True, "succeeded", None, False)
    assert client.expect("log")["level"] == "info"
    compared = client.expect("update_check_result")["components"]["core"]
    assert (compared["current"], compared["update_available"]) == ("1.1.0", False)
    assert up.installed() == "1.1.0"


def test_serve_removes_an_announced_answer(up):
    """The answer is deleted once it is announced, and so is the request."""
    client = up.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_result")
    client.expect("health_result")
    until(lambda: not [*up.host.status.glob("*.json"), *up.host.requests.glob("*.json")], "empty folders")


def test_serve_submits_a_health_check_after_an_update(up):
    """Without NATS the coordinator's health action finds out whether the new version runs."""
    client = up.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_result", of("core", success=True))
    result = client.expect("health_result", of("core"))
    assert (result["success"], result["running"], result["how"]) == (True, True, "health check")
    assert "well: 1.1.0" in result["output"]
    standing = client.expect("component_running")
    assert (standing["component"], standing["running"], standing["how"]) == ("core", True, "health check")
    assert standing["at"]


def test_serve_reports_a_rolled_back_update(up):
    """With the coordinator's reason, and the old version is what is installed."""
    up.github.publish("owner/core", "2.0.0+broken")
    client = up.connect(since=0)
    client.send("updater.check_updates", {"force": True})
    client.expect("update_check_result", lambda body: body["components"]["core"]["latest"] == "2.0.0+broken")
    client.send("updater.perform_update", {"component": "core"})
    result = client.expect("update_result")
    assert (result["success"], result["state"], result["reason"]) == (False, "rolled_back", "unhealthy")
    assert "the previous version was restored" in result["message"]
    assert client.expect("log")["level"] == "error"
    assert up.installed() == "1.0.0"


@pytest.mark.parametrize("name", ["dunebugger-core", "core", "DuneBugger-Core"])
def test_serve_accepts_display_names(up, name):
    """`updater.update` takes a display name or a short one."""
    client = up.connect()
    client.send("updater.update", name)
    assert client.expect("update_result", of("core"))["success"]


def test_serve_reports_what_a_dry_run_would_do(up):
    """No request, no record, the same version."""
    client = up.connect()
    client.send("updater.perform_update", {"component": "core", "dry_run": True})
    result = client.expect("update_result", of("core", dry_run=True))
    assert (result["success"], result["request_id"]) == (True, None)
    assert "would update dunebugger-core from 1.0.0 to 1.1.0" in result["message"]
    assert client.expect("log") == {"level": "info", "message": result["message"]}
    assert up.host.runs() == []
    client.send("updater.history")
    assert client.expect("history")["requests"] == []
    assert up.installed() == "1.0.0"


@pytest.mark.parametrize(("name", "reason"), [("scheduler", "up_to_date"), ("nobody", "unknown_component")])
@pytest.mark.parametrize("dry_run", [True, False])
def test_serve_rejections_carry_dry_run(up, name, reason, dry_run):
    """A rejected dry run is still marked as a dry run."""
    client = up.connect()
    client.send("updater.perform_update", {"component": name, "dry_run": dry_run})
    result = client.expect("update_result", of(name))
    assert (result["reason"], result["dry_run"]) == (reason, dry_run)


def test_serve_leaves_a_component_that_is_up_to_date(up):
    """Nothing to do is a success."""
    client = up.connect()
    client.send("updater.perform_update", {"component": "scheduler"})
    result = client.expect("update_result", of("scheduler"))
    assert (result["success"], result["reason"]) == (True, "up_to_date")
    assert up.host.runs() == []


def test_serve_rolls_back(up):
    """After an update it restores the version before."""
    client = up.connect(since=0)
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_result", of("core", success=True))
    client.send("updater.rollback", {"component": "core"})
    result = client.expect("update_result", of("core", action="rollback"))
    assert (result["success"], result["state"]) == (True, "succeeded")
    assert client.expect("update_check_result")["components"]["core"]["current"] == "1.0.0"


def test_serve_rejects_a_second_update_of_a_component(up):
    """It is rejected while the first is under way, however quickly it comes."""
    client = up.connect()
    up.pause()
    for _ in range(2):
        client.send("updater.perform_update", {"component": "core"})
    refused = client.expect("update_result", of("core"))
    assert (refused["success"], refused["reason"]) == (False, "under_way")
    up.resume()
    assert client.expect("update_result", of("core", success=True))["state"] == "succeeded"
    assert up.host.runs().count(f"update.sh {up.host.runs()[0].split()[1]}") == 1


def test_serve_updates_remote_first(serving):
    """Others are rejected while it has an update waiting, and may be updated after it."""
    serving.add_itself("1.0.0")
    serving.github.publish("owner/core", "1.1.0")
    serving.github.publish("owner/scheduler", "1.0.0")
    serving.github.publish("owner/remote", "1.1.0")
    serving.host.start()
    serving.start()
    client = serving.connect()
    client.send("updater.perform_update", {"component": "core"})
    refused = client.expect("update_result", of("core"))
    assert (refused["success"], refused["reason"]) == (False, "remote_first")
    assert "update it first" in refused["message"]
    client.send("updater.perform_update", {"component": "remote"})
    assert client.expect("update_result", of("remote"))["success"]
    serving.stop()
    serving.environment["DUNEBUGGER_REMOTE_VERSION"] = "1.1.0"
    serving.start()
    client = serving.connect()
    client.send("updater.perform_update", {"component": "core"})
    assert client.expect("update_result", of("core"))["success"]


def test_serve_sends_events_to_all_clients(up):
    """A client that requested nothing receives the progress and the result, with the same numbers."""
    asking, watching = up.connect(since=0), up.connect(since=0)
    asking.send("updater.perform_update", {"component": "core"})
    for client in (asking, watching):
        client.expect("update_result")
    assert [m for m in asking.received if "seq" in m] == [m for m in watching.received if "seq" in m]


def test_serve_lists_the_history(up):
    """Newest first, of one component or of all."""
    client = up.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("health_result", of("core"))
    client.send("updater.health", {"component": "scheduler"})
    client.expect("health_result", of("scheduler"))
    client.send("updater.history")
    everything = client.expect("history")["requests"]
    assert [(entry["component"], entry["action"], entry["success"]) for entry in everything] == [
        ("scheduler", "health", True),
        ("core", "health", True),
        ("core", "update", True),
    ]
    client.send("updater.history", {"component": "dunebugger-core"})
    assert [entry["action"] for entry in client.expect("history")["requests"]] == ["health", "update"]


def test_serve_lists_outstanding_requests(up):
    """A page that is loaded in the middle of an update shows it."""
    client = up.connect()
    up.pause()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_progress", of("core", phase="download"))
    late = up.connect()
    late.send("updater.outstanding")
    (standing,) = late.expect("outstanding")["requests"]
    assert (standing["component"], standing["phase"], standing["percent"]) == ("core", "download", 20)
    up.resume()
    assert late.expect("update_result")["success"]


def test_serve_completes_an_update_when_its_client_leaves(up):
    """The command outlives its client; the next client finds the answer in the history."""
    client = up.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.close()
    until(lambda: up.installed() == "1.1.0", "the update")
    up.connect(since=client.last).expect("update_result", of("core", success=True))
    late = up.connect()
    late.send("updater.history")
    requests = late.expect("history")["requests"]
    assert [entry["success"] for entry in requests if entry["action"] == "update"] == [True]


def test_serve_submits_one_request_for_a_burst_of_commands(up):
    """However many commands come at once, update.sh runs once."""
    clients = [up.connect() for _ in range(5)]
    up.pause()
    for client in clients:
        client.send("updater.perform_update", {"component": "core"})
    clients[0].expect("update_progress", of("core", phase="download"))
    stays(lambda: len([run for run in up.host.runs() if run.startswith("update.sh")]) == 1, "one run", 0.5)
    up.resume()
    for client in clients:
        client.expect("update_result", of("core", success=True))


def test_update_command_updates_through_the_running_server(up):
    """`dunebugger-remote update` shows the progress and ends with 0."""
    done = up.cli("update", "dunebugger-core", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "succeeded"
    assert up.installed() == "1.1.0"


def test_update_command_reports_that_no_server_runs(serving):
    """With the remedy, and exit code 1."""
    serving.sections["server"]["port"] = 9  # discard: nobody listens
    done = serving.cli("update", "core")
    assert done.returncode == 1
    assert "is dunebugger-remote serve running here?" in done.stderr
