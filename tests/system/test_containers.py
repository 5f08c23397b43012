"""Updates of a container on an installed host, with a real engine, compose and registry."""

from __future__ import annotations

import json

import pytest
from installed_host import REQUESTS, STATUS
from machine import Machine
from provisioned_host import REMOTE, TOKEN_FILE, ProvisionedHost


def test_container_update_replaces_the_running_container(host: ProvisionedHost):
    """The compose file names the new release, and exactly that image runs."""
    host.submit_and_wait("remote", "update", "1.0.0")
    final = host.submit_and_wait("remote", "update", "1.1.0")
    assert (final["success"], final["state"], final["reason"]) == (True, "succeeded", None)
    assert [attempt["script"] for attempt in final["attempts"]] == ["update.sh", "health-check.sh"]
    assert (host.compose_file_version(), host.running_version()) == ("1.1.0", ("1.1.0", "running"))
    assert host.machine.docker("exec", "dunebugger-remote", "cat", "/version") == "1.1.0"


@pytest.mark.parametrize(
    ("version", "message"), [("1.2.0", "this release is broken"), ("1.3.0", "health check | unhealthy")]
)
def test_container_update_to_a_bad_release_is_rolled_back(host: ProvisionedHost, version: str, message: str):
    """One exits at once, one fails its health check: 1.1.0 runs again, and the answer has the cause."""
    assert host.submit_and_wait("remote", "update", "1.1.0")["success"]
    final = host.submit_and_wait("remote", "update", version)
    assert (final["success"], final["state"], final["reason"]) == (False, "rolled_back", "script_failed")
    assert message in final["error"]
    assert [attempt["exit_code"] for attempt in final["attempts"]] == [1, 0, 0]
    assert (host.compose_file_version(), host.running_version()) == ("1.1.0", ("1.1.0", "running"))


def test_container_update_to_a_missing_release_stops_nothing(host: ProvisionedHost):
    """The pull fails before any change: the container was neither replaced nor restarted."""
    before = host.container(), host.machine.read("/opt/dunebugger/docker-compose.yml")
    final = host.submit_and_wait("remote", "update", "9.9.9")
    assert (final["success"], final["state"], final["reason"]) == (False, "rolled_back", "script_failed")
    assert "Does that version exist" in final["error"]
    assert (host.container(), host.machine.read("/opt/dunebugger/docker-compose.yml")) == before


@pytest.mark.parametrize("fault", ["shut", "cut in the middle"])
def test_container_update_without_a_registry_stops_nothing(host: ProvisionedHost, fault: str):
    """Also when the connection breaks during the download of a layer."""
    host.submit_and_wait("remote", "update", "1.0.0")
    host.machine.docker("rmi", host.registry.name(REMOTE, "1.1.0"), check=False)
    before = host.container()
    if fault == "shut":
        host.registry.proxy.shut()
    else:
        host.registry.proxy.cut_after(100_000)
    final = host.submit_and_wait("remote", "update", "1.1.0")
    assert final["state"] == "rolled_back"
    assert "cannot pull" in final["error"]
    assert host.container() == before
    host.registry.proxy.open()
    assert host.submit_and_wait("remote", "update", "1.1.0")["success"]


def test_two_components_of_one_file_do_not_undo_each_other(host: ProvisionedHost):
    """Concurrent requests run one after the other; a rollback of one does not change the other."""
    assert host.submit_and_wait("remote", "update", "1.0.0")["success"]
    assert host.submit_and_wait("scheduler", "update", "1.0.0")["success"]
    asked = [host.submit("remote", "update", "1.1.0"), host.submit("scheduler", "update", "1.1.0")]
    assert all(host.wait_for_answer(request_id)["success"] for request_id in asked)
    assert (host.compose_file_version("remote"), host.compose_file_version("scheduler")) == ("1.1.0", "1.1.0")
    assert host.submit_and_wait("remote", "rollback")["success"]
    assert (host.compose_file_version("remote"), host.compose_file_version("scheduler")) == ("1.0.0", "1.1.0")
    assert (host.running_version("remote")[0], host.running_version("scheduler")[0]) == ("1.0.0", "1.1.0")


def test_container_requests_its_own_update(host: ProvisionedHost):
    """Unprivileged, without Docker: it writes the request and is replaced; the new container reads the answer."""
    host.submit_and_wait("remote", "update", "1.0.0")
    request = json.dumps({
        "component": "remote", "action": "update", "version": "1.1.0", "request_id": "from-inside",
        "timestamp": "2026-01-16T10:30:00Z",
    })  # fmt: skip
    inside(host.machine, "cat > /var/dunebugger/updates/requests/from-inside.json", request)
    assert host.wait_for_answer("from-inside")["success"]
    status = "/var/dunebugger/updates/status/from-inside.json"
    assert json.loads(inside(host.machine, f"cat {status}"))["success"]
    inside(host.machine, f"rm {status}")
    assert host.running_version() == ("1.1.0", "running")
    assert inside(host.machine, "id -u").strip() == "10001"


def test_container_has_only_the_mounts_that_it_needs(host: ProvisionedHost):
    """It can write the two shared folders and its own volume, and read the versions and its token."""
    listed = json.loads(host.machine.docker("inspect", "--format", "{{json .Mounts}}", "dunebugger-remote"))
    mounts = {
        mount["Destination"]: (mount["Type"], mount.get("Name", mount["Source"]), mount["RW"]) for mount in listed
    }
    assert mounts == {
        REQUESTS: ("bind", REQUESTS, True),
        STATUS: ("bind", STATUS, True),
        "/var/lib/dunebugger/remote": ("volume", "dunebugger_remote-state", True),
        "/opt/dunebugger": ("bind", "/opt/dunebugger", False),
        "/run/secrets/dunebugger-token": ("bind", TOKEN_FILE, False),
    }
    seen = inside(host.machine, "ls /var/dunebugger/updates /var/dunebugger; ls /etc/dunebugger 2>&1 || true")
    assert "requests\nstatus\n" in seen
    assert "token" not in seen
    assert inside(host.machine, "touch /x 2>&1 || echo refused").endswith("refused\n")
    assert inside(host.machine, "touch /opt/dunebugger/x 2>&1 || echo refused").endswith("refused\n")


def inside(machine: Machine, text: str, given: str = "") -> str:
    """Run an sh script in the container of remote, as its user."""
    return machine.run("docker", "exec", "-i", "dunebugger-remote", "sh", "-euc", text, input=given).stdout
