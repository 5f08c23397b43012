"""The Docker engine of a machine, and pulls from the registry."""

from __future__ import annotations

import json

import pytest
from images import REMOTE

from tests.support.polling import wait_until

COMPOSE = "/opt/example/docker-compose.yml"
_FILE = """\
version: "3"
services:
  example:
    image: {image}
    container_name: example
    network_mode: host
    restart: {restart}
    volumes: ["/opt/example/data:/data"]
"""


@pytest.fixture
def compose(machine, registry):
    """Factory that runs compose for a release; the container is removed after the test."""

    def run(version: str, *command: str, restart: str = "unless-stopped", **options):
        machine.write(COMPOSE, _FILE.format(image=registry.name(REMOTE, version), restart=f'"{restart}"'))
        return machine.run("docker-compose", "--file", COMPOSE, *command, **options)

    yield run
    registry.proxy.open()
    machine.sh(f"docker rm -f example; docker rmi {registry.name(REMOTE, '1.1.0')} || true")


def state(machine):
    """The container's state."""
    return json.loads(machine.docker("inspect", "--format", "{{json .State}}", "example"))


def await_health(machine, health):
    """Wait until the container is ``healthy`` or ``unhealthy``."""
    wait_until(lambda: state(machine)["Health"]["Status"] == health, lambda: f"{health}: {state(machine)}")


def test_good_release_runs_and_is_healthy(machine, compose):
    """The container works with network_mode host, a bind mount and docker exec, and stops without KILL."""
    compose("1.0.0", "up", "-d")
    await_health(machine, "healthy")
    assert machine.docker("exec", "example", "cat", "/version") == "1.0.0"
    machine.docker("exec", "example", "touch", "/data/touched")
    assert machine.sh("ls /opt/example/data") == "touched\n"
    compose("1.0.0", "stop")
    assert state(machine)["ExitCode"] == 0


def test_container_restarts_after_a_power_cut(machine, compose):
    """Docker restarts a container with restart unless-stopped."""
    compose("1.0.0", "up", "-d")
    before = state(machine)["StartedAt"]
    machine.cut_power()
    machine.boot()
    wait_until(lambda: state(machine)["Running"] and state(machine)["StartedAt"] > before, lambda: str(state(machine)))
    await_health(machine, "healthy")


def test_container_restarts_after_a_reboot(machine, compose):
    """Docker restarts a container also after a clean reboot."""
    compose("1.0.0", "up", "-d")
    machine.reboot()
    wait_until(lambda: state(machine)["Running"], lambda: str(state(machine)))


def test_stopped_container_stays_stopped_after_a_reboot(machine, compose):
    """The restart policy unless-stopped does not restart a stopped container."""
    compose("1.0.0", "up", "-d")
    compose("1.0.0", "stop")
    machine.reboot()
    assert not state(machine)["Running"]


def test_release_1_2_0_exits_at_once(machine, compose):
    """Release 1.2.0 cannot start, and its log has the cause."""
    compose("1.2.0", "up", "-d", restart="no")
    wait_until(lambda: state(machine)["Status"] == "exited", lambda: str(state(machine)))
    assert state(machine)["ExitCode"] == 3
    assert "this release is broken" in machine.run("docker", "logs", "example").stderr


def test_release_1_3_0_becomes_unhealthy(machine, compose):
    """Release 1.3.0 runs, and its health check fails."""
    compose("1.3.0", "up", "-d")
    await_health(machine, "unhealthy")
    assert state(machine)["Running"]


def test_new_release_is_pulled(machine, compose):
    """A release that is only in the registry is pulled and run."""
    compose("1.0.0", "up", "-d")
    compose("1.1.0", "pull")
    compose("1.1.0", "up", "-d")
    assert machine.docker("exec", "example", "cat", "/version") == "1.1.0"


def test_pull_fails_while_the_registry_is_down(machine, compose, registry):
    """The pull fails while connections are refused, and succeeds afterwards."""
    registry.proxy.shut()
    done = compose("1.1.0", "pull", check=False)
    assert done.returncode != 0
    assert "connection refused" in done.stderr
    registry.proxy.open()
    compose("1.1.0", "pull")


def test_pull_fails_when_the_connection_breaks(machine, compose, registry):
    """A connection that breaks within a layer leaves no image."""
    registry.proxy.cut_after(100_000)
    assert compose("1.1.0", "pull", check=False).returncode != 0
    assert registry.proxy.is_exhausted()
    assert machine.docker("images", "--quiet", registry.name(REMOTE, "1.1.0")) == ""


def test_pull_hangs_when_the_connection_hangs(machine, compose, registry):
    """The power can be cut during a stalled pull, and a later pull succeeds."""
    registry.proxy.hang_after(100_000)
    with pytest.raises(AssertionError, match="has not ended in 10 s"):
        compose("1.1.0", "pull", timeout=10)
    assert registry.proxy.is_exhausted()
    machine.cut_power()
    registry.proxy.open()
    machine.boot()
    compose("1.1.0", "pull")


def test_image_runs_as_another_user(machine, registry):
    """An image can run as an unprivileged user with another group."""
    name = registry.name(REMOTE, "1.0.0")
    assert machine.docker("run", "--rm", "--network=host", "--user=1000:2000", name, "id", "-g") == "2000"
