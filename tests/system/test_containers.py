"""Updates of a container on an installed host, with a real Docker engine, compose and registry."""

from __future__ import annotations

import json

import pytest
from installed_host import REQUESTS, STATUS
from machine import Machine
from provisioned_host import REMOTE, TOKEN_FILE, ProvisionedHost


def test_container_update_replaces_the_running_container(host: ProvisionedHost):
    """The compose file names the new release, and its image runs."""
    host.submit_and_wait("remote", "update", "1.0.0")
    final = host.submit_and_wait("remote", "update", "1.1.0")
    assert (final["success"], final["state"], final["reason"]) == (True, "succeeded", None)
    assert [attempt["script"] for attempt in final["attempts"]] == ["update.sh", "health-check.sh"]
    assert (host.compose_file_version(), host.running_version()) == ("1.1.0", ("1.1.0", "running"))
    assert host.machine.docker("exec", "dunebugger-remote", "cat", "/version") == "1.1.0"


@pytest.mark.parametrize(
    ("version", "message"), [("1.2.0", "this release is broken"), ("1.3.0", "health check | unhealthy")]
)
def test_container_update_to_a_broken_release_is_rolled_back(host: ProvisionedHost, version: str, message: str):
    """Release 1.2.0 exits at once, 1.3.0 fails its health check: 1.1.0 runs again, and the answer has the cause."""
    assert host.submit_and_wait("remote", "update", "1.1.0")["success"]
    final = host.submit_and_wait("remote", "update", version)
    assert (final["success"], final["state"], final["reason"]) == (False, "rolled_back", "script_failed")
    assert message in final["error"]
    assert [attempt["exit_code"] for attempt in final["attempts"]] == [1, 0, 0]
    assert (host.compose_file_version(), host.running_version()) == ("1.1.0", ("1.1.0", "running"))


def test_container_update_to_a_missing_release_keeps_the_container_running(host: ProvisionedHost):
    """The pull fails before any change: the container is neither replaced nor restarted."""
    before = host.container(), host.machine.read("/opt/dunebugger/docker-compose.yml")
    final = host.submit_and_wait("remote", "update", "9.9.9")
    assert (final["success"], final["state"], final["reason"]) == (False, "rolled_back", "script_failed")
    assert "Does that version exist" in final["error"]
    assert (host.container(), host.machine.read("/opt/dunebugger/docker-compose.yml")) == before


@pytest.mark.parametrize("fault", ["registry down", "connection cut"])
def test_container_update_without_a_registry_keeps_the_container_running(host: ProvisionedHost, fault: str):
    """The container keeps running if the registry is down, or the connection breaks during the download of a layer."""
    host.submit_and_wait("remote", "update", "1.0.0")
    host.machine.docker("rmi", host.registry.name(REMOTE, "1.1.0"), check=False)
    before = host.container()
    if fault == "registry down":
        host.registry.proxy.shut()
    else:
        host.registry.proxy.cut_after(100_000)
    final = host.submit_and_wait("remote", "update", "1.1.0")
    assert final["state"] == "rolled_back"
    assert "cannot pull" in final["error"]
    assert host.container() == before
    host.registry.proxy.open()
    assert host.submit_and_wait("remote", "update", "1.1.0")["success"]


def test_components_of_one_compose_file_are_rolled_back_independently(host: ProvisionedHost):
    """Concurrent requests are serialized, and a rollback of one component does not change the other."""
    assert host.submit_and_wait("remote", "update", "1.0.0")["success"]
    assert host.submit_and_wait("scheduler", "update", "1.0.0")["success"]
    request_ids = [host.submit("remote", "update", "1.1.0"), host.submit("scheduler", "update", "1.1.0")]
    assert all(host.wait_for_answer(request_id)["success"] for request_id in request_ids)
    assert (host.compose_file_version("remote"), host.compose_file_version("scheduler")) == ("1.1.0", "1.1.0")
    assert host.submit_and_wait("remote", "rollback")["success"]
    assert (host.compose_file_version("remote"), host.compose_file_version("scheduler")) == ("1.0.0", "1.1.0")
    assert (host.running_version("remote")[0], host.running_version("scheduler")[0]) == ("1.0.0", "1.1.0")


def test_container_requests_its_own_update(host: ProvisionedHost):
    """The unprivileged container writes a request without access to Docker; the new container reads the answer."""
    host.submit_and_wait("remote", "update", "1.0.0")
    request = json.dumps({
        "component": "remote", "action": "update", "version": "1.1.0", "request_id": "from-inside",
        "timestamp": "2026-01-16T10:30:00Z",
    })  # fmt: skip
    run_in_container(host.machine, "cat > /var/dunebugger/updates/requests/from-inside.json", request)
    assert host.wait_for_answer("from-inside")["success"]
    status = "/var/dunebugger/updates/status/from-inside.json"
    assert json.loads(run_in_container(host.machine, f"cat {status}"))["success"]
    run_in_container(host.machine, f"rm {status}")
    assert host.running_version() == ("1.1.0", "running")
    assert run_in_container(host.machine, "id -u").strip() == "10001"


def test_container_has_only_the_required_mounts(host: ProvisionedHost):
    """The container can write the two shared folders and its volume, and read the versions and its token."""
    inspected = json.loads(host.machine.docker("inspect", "--format", "{{json .Mounts}}", "dunebugger-remote"))
    mounts = {
        mount["Destination"]: (mount["Type"], mount.get("Name", mount["Source"]), mount["RW"]) for mount in inspected
    }
    assert mounts == {
        REQUESTS: ("bind", REQUESTS, True),
        STATUS: ("bind", STATUS, True),
        "/var/lib/dunebugger/remote": ("volume", "dunebugger_remote-state", True),
        "/opt/dunebugger": ("bind", "/opt/dunebugger", False),
        "/run/secrets/dunebugger-token": ("bind", TOKEN_FILE, False),
    }
    listed = run_in_container(
        host.machine, "ls /var/dunebugger/updates /var/dunebugger; ls /etc/dunebugger 2>&1 || true"
    )
    assert "requests\nstatus\n" in listed
    assert "token" not in listed
    assert run_in_container(host.machine, "touch /x 2>&1 || echo denied").endswith("denied\n")
    assert run_in_container(host.machine, "touch /opt/dunebugger/x 2>&1 || echo denied").endswith("denied\n")


def run_in_container(machine: Machine, script: str, stdin: str = "") -> str:
    """Run an sh script in the container of remote, as its user."""
    return machine.run("docker", "exec", "-i", "dunebugger-remote", "sh", "-euc", script, input=stdin).stdout
