"""Serve: updates, with a real coordinator, real scripts and a real WebSocket."""

from __future__ import annotations

import json
import threading

import pytest
from github_faults import held
from remote_server import installation

from tests.support.polling import wait_until
from tests.support.real_host import stays


def start(serving):
    """Start server and coordinator; core has an update from 1.0.0 to 1.1.0."""
    serving.github.publish("owner/core", "1.0.0")
    serving.github.publish("owner/core", "1.1.0", notes="faster")
    serving.github.publish("owner/scheduler", "1.0.0")
    serving.host.start()
    serving.start()
    return serving


def latest_versions(client):
    """The latest version of each component, as far as it is known."""
    client.send("controller.system_info")
    listed = client.expect("system_info")["system_info"]["dunebugger_components"]
    return {component["name"]: component["latest_version"] for component in listed}


@pytest.fixture
def up(serving):
    """Server and coordinator are running; core has an update from 1.0.0 to 1.1.0."""
    return start(serving)


@pytest.fixture(scope="module")
def module_up(tmp_path_factory):
    """The same, shared by the tests after which nothing has run."""
    with installation(tmp_path_factory.mktemp("up")) as serving:
        yield start(serving)


@pytest.fixture
def idle(module_up):
    """Server and coordinator as in ``up``; checks after the test that no script has run."""
    yield module_up
    module_up.disconnect_clients()
    assert module_up.host.runs() == []
    assert module_up.installed() == "1.0.0"


def has_fields(component, **fields):
    """A condition: a body of this component with these fields."""
    return lambda body: body["component"] == component and all(body[key] == value for key, value in fields.items())


def test_serve_compares_installed_with_released_versions(idle):
    """The result has current and latest version of every component."""
    client = idle.connect(since=0)
    client.send("updater.check_updates", {"force": True})
    found = client.expect("update_check_result")["components"]
    assert {name: (view["current"], view["latest"], view["update_available"]) for name, view in found.items()} == {
        "core": ("1.0.0", "1.1.0", True),
        "scheduler": ("1.0.0", "1.0.0", False),
    }
    assert found["core"]["release_notes"] == "faster"
    assert found["core"]["last_checked"]


def test_serve_reports_an_update_from_the_command_to_the_result(up):
    """The client receives progress with phases and output, then the result, a log message, and the new versions."""
    client = up.connect()
    up.pause()
    client.send("updater.perform_update", {"component": "core", "dry_run": False})
    first = client.expect("update_progress", has_fields("core"))
    assert (first["state"], first["version"]) == ("submitted", "1.1.0")
    seen = client.expect("update_progress", lambda body: "fetching 1.1.0" in body["output"] and body["error"])
    assert (seen["state"], seen["phase"], seen["percent"]) == ("running", "download", 20)
    assert "a warning of 1.1.0" in seen["error"]
    up.resume()
    result = client.expect("update_result", has_fields("core"))
    assert (result["success"], result["state"], result["reason"], result["dry_run"]) == (True, "succeeded", None, False)
    assert client.expect("log")["level"] == "info"
    view = client.expect("update_check_result")["components"]["core"]
    assert (view["current"], view["update_available"]) == ("1.1.0", False)
    assert up.installed() == "1.1.0"


def test_serve_removes_an_announced_answer(up):
    """After the announcement neither the answer nor the request is left in the shared folders."""
    client = up.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_result")
    client.expect("health_result")
    wait_until(lambda: not [*up.host.status.glob("*.json"), *up.host.requests.glob("*.json")], "empty folders")


def test_serve_submits_a_health_check_after_an_update(up):
    """Without NATS the health action determines whether the new version is running."""
    client = up.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_result", has_fields("core", success=True))
    result = client.expect("health_result", has_fields("core"))
    assert (result["success"], result["running"], result["how"]) == (True, True, "health check")
    assert "healthy: 1.1.0" in result["output"]
    status = client.expect("component_running")
    assert (status["component"], status["running"], status["how"]) == ("core", True, "health check")
    assert status["at"]


def test_serve_reports_a_rolled_back_update(up):
    """The result has the coordinator's reason, and the old version is installed."""
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
    """`updater.update` accepts a display name or a component name, in any case."""
    client = up.connect()
    client.send("updater.update", name)
    assert client.expect("update_result", has_fields("core"))["success"]


def test_serve_reports_what_a_dry_run_would_do(idle):
    """A dry run writes no request and no record, and leaves the version."""
    client = idle.connect()
    client.send("updater.perform_update", {"component": "core", "dry_run": True})
    result = client.expect("update_result", has_fields("core", dry_run=True))
    assert (result["success"], result["request_id"]) == (True, None)
    assert "would update dunebugger-core from 1.0.0 to 1.1.0" in result["message"]
    assert client.expect("log") == {"level": "info", "message": result["message"]}
    client.send("updater.history")
    assert client.expect("history")["requests"] == []


@pytest.mark.parametrize(("name", "reason"), [("scheduler", "up_to_date"), ("unknown", "unknown_component")])
@pytest.mark.parametrize("dry_run", [True, False])
def test_serve_rejections_have_the_dry_run_flag(idle, name, reason, dry_run):
    """A rejected dry run is still marked as a dry run."""
    client = idle.connect()
    client.send("updater.perform_update", {"component": name, "dry_run": dry_run})
    result = client.expect("update_result", has_fields(name))
    assert (result["reason"], result["dry_run"]) == (reason, dry_run)


def test_serve_submits_nothing_for_a_component_that_is_up_to_date(idle):
    """An update to the installed version succeeds without a request."""
    client = idle.connect()
    client.send("updater.perform_update", {"component": "scheduler"})
    result = client.expect("update_result", has_fields("scheduler"))
    assert (result["success"], result["reason"]) == (True, "up_to_date")


def test_serve_rolls_back_an_update(up):
    """A rollback after an update restores the previous version."""
    client = up.connect(since=0)
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_result", has_fields("core", success=True))
    client.send("updater.rollback", {"component": "core"})
    result = client.expect("update_result", has_fields("core", action="rollback"))
    assert (result["success"], result["state"]) == (True, "succeeded")
    assert client.expect("update_check_result")["components"]["core"]["current"] == "1.0.0"


def test_serve_rejects_a_second_update_of_a_component(up):
    """A second command is rejected while the first update is under way, also when it follows immediately."""
    client = up.connect()
    up.pause()
    for _ in range(2):
        client.send("updater.perform_update", {"component": "core"})
    rejected = client.expect("update_result", has_fields("core"))
    assert (rejected["success"], rejected["reason"]) == (False, "under_way")
    up.resume()
    assert client.expect("update_result", has_fields("core", success=True))["state"] == "succeeded"
    assert up.host.runs().count(f"update.sh {up.host.runs()[0].split()[1]}") == 1


def test_serve_updates_remote_first(serving):
    """Updates of other components are rejected while remote has an update, and succeed after it."""
    serving.add_remote_component("1.0.0")
    serving.github.publish("owner/core", "1.1.0")
    serving.github.publish("owner/scheduler", "1.0.0")
    serving.github.publish("owner/remote", "1.1.0")
    serving.host.start()
    serving.start()
    client = serving.connect()
    client.send("updater.perform_update", {"component": "core"})
    rejected = client.expect("update_result", has_fields("core"))
    assert (rejected["success"], rejected["reason"]) == (False, "remote_first")
    assert "update it first" in rejected["message"]
    client.send("updater.perform_update", {"component": "remote"})
    assert client.expect("update_result", has_fields("remote"))["success"]
    serving.stop()
    serving.environment["DUNEBUGGER_REMOTE_VERSION"] = "1.1.0"
    serving.start()
    client = serving.connect()
    client.send("updater.perform_update", {"component": "core"})
    assert client.expect("update_result", has_fields("core"))["success"]


def test_serve_updates_remote_first_although_its_release_is_not_known_yet(serving):
    """An update that is requested during the first check waits for the releases of remote."""
    serving.add_remote_component("1.0.0")
    for name in ("core", "scheduler", "remote"):
        serving.github.publish(f"owner/{name}", "1.1.0")
    is_released = threading.Event()
    serving.github.inject(held("owner/remote", is_released), times=None)
    serving.host.start()
    serving.start()
    client = serving.connect()
    wait_until(lambda: latest_versions(client)["core"], "the release of core")
    assert latest_versions(client)["remote"] is None
    client.send("updater.perform_update", {"component": "core"})
    threading.Timer(1, is_released.set).start()
    rejected = client.expect("update_result", has_fields("core"))
    assert (rejected["success"], rejected["reason"]) == (False, "remote_first")


def test_serve_updates_although_the_releases_of_remote_cannot_be_checked(serving):
    """A failed check of remote neither prevents the update of another component nor is repeated for it."""
    serving.add_remote_component("1.0.0")
    for name in ("core", "scheduler"):
        serving.github.publish(f"owner/{name}", "1.1.0")
    serving.host.start()
    serving.start()
    client = serving.connect(since=0)
    client.expect("update_check_result")
    checks = len(serving.github.requests)
    assert checks == 3
    client.send("updater.perform_update", {"component": "core"})
    assert client.expect("update_result", has_fields("core"))["success"]
    assert len(serving.github.requests) == checks


def test_serve_sends_events_to_all_clients(up):
    """A client without a request receives the same events, with the same numbers."""
    requesting, watching = up.connect(since=0), up.connect(since=0)
    requesting.send("updater.perform_update", {"component": "core"})
    for client in (requesting, watching):
        client.expect("update_result")
    assert [m for m in requesting.received if "seq" in m] == [m for m in watching.received if "seq" in m]


def test_serve_lists_the_history(up):
    """The history is sorted newest first, for one component or for all."""
    client = up.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("health_result", has_fields("core"))
    client.send("updater.health", {"component": "scheduler"})
    client.expect("health_result", has_fields("scheduler"))
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
    """A page that is loaded during an update can show it."""
    client = up.connect()
    up.pause()
    client.send("updater.perform_update", {"component": "core"})
    client.expect("update_progress", has_fields("core", phase="download"))
    late = up.connect()
    late.send("updater.outstanding")
    (request,) = late.expect("outstanding")["requests"]
    assert (request["component"], request["phase"], request["percent"]) == ("core", "download", 20)
    up.resume()
    assert late.expect("update_result")["success"]


def test_serve_completes_an_update_when_its_client_disconnects(up):
    """The command continues without its client; the next client finds the answer in the history."""
    client = up.connect()
    client.send("updater.perform_update", {"component": "core"})
    client.close()
    wait_until(lambda: up.installed() == "1.1.0", "the update")
    up.connect(since=client.last).expect("update_result", has_fields("core", success=True))
    late = up.connect()
    late.send("updater.history")
    requests = late.expect("history")["requests"]
    assert [entry["success"] for entry in requests if entry["action"] == "update"] == [True]


def test_serve_submits_one_request_for_a_burst_of_commands(up):
    """update.sh runs once for several simultaneous commands."""
    clients = [up.connect() for _ in range(5)]
    up.pause()
    for client in clients:
        client.send("updater.perform_update", {"component": "core"})
    clients[0].expect("update_progress", has_fields("core", phase="download"))
    stays(lambda: len([run for run in up.host.runs() if run.startswith("update.sh")]) == 1, "one run", 0.5)
    up.resume()
    for client in clients:
        client.expect("update_result", has_fields("core", success=True))


def test_update_command_updates_through_the_running_server(up):
    """`dunebugger-remote update` prints the result and exits with 0."""
    done = up.cli("update", "dunebugger-core", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "succeeded"
    assert up.installed() == "1.1.0"


def test_update_command_reports_a_missing_server(serving):
    """The exit code is 1, and the error suggests the remedy."""
    serving.sections["server"]["port"] = 9  # discard: no program listens
    done = serving.cli("update", "core")
    assert done.returncode == 1
    assert "is dunebugger-remote serve running here?" in done.stderr
