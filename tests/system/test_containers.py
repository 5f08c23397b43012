"""Updates of a container on an installed host, with a real engine, compose and registry."""

from __future__ import annotations

import json

import pytest
from installed_host import REQUESTS, STATUS
from machine import Machine
from provisioned_host import REMOTE, TOKEN_FILE, Household


def test_an_update_replaces_the_running_container(household: Household):
    """The compose file names the new release, and exactly that image runs."""
    household.settle("remote", "update", "1.0.0")
    final = household.settle("remote", "update", "1.1.0")
    assert (final["success"], final["state"], final["reason"]) == (True, "succeeded", None)
    assert [attempt["script"] for attempt in final["attempts"]] == ["update.sh", "health-check.sh"]
    assert (household.named(), household.running()) == ("1.1.0", ("1.1.0", "running"))
    assert household.machine.docker("exec", "dunebugger-remote", "cat", "/version") == "1.1.0"


@pytest.mark.parametrize(
    ("version", "told"), [("1.2.0", "this release is broken"), ("1.3.0", "health check | not well")]
)
def test_a_bad_release_is_rolled_back(household: Household, version: str, told: str):
    """One exits at once, one fails its health check: 1.1.0 runs again, and the answer says why."""
    assert household.settle("remote", "update", "1.1.0")["success"]
    final = household.settle("remote", "update", version)
    assert (final["success"], final["state"], final["reason"]) == (False, "rolled_back", "script_failed")
    assert told in final["error"]
    assert [attempt["exit_code"] for attempt in final["attempts"]] == [1, 0, 0]
    assert (household.named(), household.running()) == ("1.1.0", ("1.1.0", "running"))


def test_a_release_that_does_not_exist_stops_nothing(household: Household):
    """The pull fails before anything is touched: the container is the same, since the same time."""
    before = household.container(), household.machine.read("/opt/dunebugger/docker-compose.yml")
    final = household.settle("remote", "update", "9.9.9")
    assert (final["success"], final["state"], final["reason"]) == (False, "rolled_back", "script_failed")
    assert "Does that version exist" in final["error"]
    assert (household.container(), household.machine.read("/opt/dunebugger/docker-compose.yml")) == before


@pytest.mark.parametrize("trouble", ["shut", "cut in the middle"])
def test_a_registry_out_of_reach_stops_nothing(household: Household, trouble: str):
    """Also when it goes away while a layer is on its way."""
    household.settle("remote", "update", "1.0.0")
    household.machine.docker("rmi", household.registry.name(REMOTE, "1.1.0"), check=False)
    before = household.container()
    if trouble == "shut":
        household.registry.line.shut()
    else:
        household.registry.line.cut_after(100_000)
    final = household.settle("remote", "update", "1.1.0")
    assert final["state"] == "rolled_back"
    assert "cannot pull" in final["error"]
    assert household.container() == before
    household.registry.line.open()
    assert household.settle("remote", "update", "1.1.0")["success"]


def test_two_components_of_one_file_do_not_undo_each_other(household: Household):
    """Asked for at once, they run one after the other; rolling one back leaves the other where it is."""
    assert household.settle("remote", "update", "1.0.0")["success"]
    assert household.settle("scheduler", "update", "1.0.0")["success"]
    asked = [household.ask("remote", "update", "1.1.0"), household.ask("scheduler", "update", "1.1.0")]
    assert all(household.answer(request_id)["success"] for request_id in asked)
    assert (household.named("remote"), household.named("scheduler")) == ("1.1.0", "1.1.0")
    assert household.settle("remote", "rollback")["success"]
    assert (household.named("remote"), household.named("scheduler")) == ("1.0.0", "1.1.0")
    assert (household.running("remote")[0], household.running("scheduler")[0]) == ("1.0.0", "1.1.0")


def test_the_container_asks_for_its_own_update(household: Household):
    """Unprivileged, without Docker: it writes the request, is replaced, and its successor takes the answer."""
    household.settle("remote", "update", "1.0.0")
    request = json.dumps({
        "component": "remote", "action": "update", "version": "1.1.0", "request_id": "from-inside",
        "timestamp": "2026-01-16T10:30:00Z",
    })  # fmt: skip
    inside(household.machine, "cat > /var/dunebugger/updates/requests/from-inside.json", request)
    assert household.answer("from-inside")["success"]
    status = "/var/dunebugger/updates/status/from-inside.json"
    assert json.loads(inside(household.machine, f"cat {status}"))["success"]
    inside(household.machine, f"rm {status}")
    assert household.running() == ("1.1.0", "running")
    assert inside(household.machine, "id -u").strip() == "10001"


def test_the_container_reaches_nothing_but_what_it_needs(household: Household):
    """It writes the two shared folders and a volume of its own; it sees versions and its token; and nothing else."""
    listed = json.loads(household.machine.docker("inspect", "--format", "{{json .Mounts}}", "dunebugger-remote"))
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
    seen = inside(household.machine, "ls /var/dunebugger/updates /var/dunebugger; ls /etc/dunebugger 2>&1 || true")
    assert "requests\nstatus\n" in seen
    assert "token" not in seen
    assert inside(household.machine, "touch /x 2>&1 || echo refused").endswith("refused\n")
    assert inside(household.machine, "touch /opt/dunebugger/x 2>&1 || echo refused").endswith("refused\n")


def inside(machine: Machine, text: str, given: str = "") -> str:
    """Run a text of sh in the container of remote, as its user."""
    return machine.run("docker", "exec", "-i", "dunebugger-remote", "sh", "-euc", text, input=given).stdout
