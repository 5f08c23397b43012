"""The real daemon as a service of systemd: what it says on its socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.real_host import Host


@pytest.fixture
def ear(host: Host, tmp_path: Path) -> Iterator[socket.socket]:
    """Where systemd would listen, with a watchdog of a fifth of a second."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        host.environment |= {"NOTIFY_SOCKET": listening.getsockname(), "WATCHDOG_USEC": "200000"}
        yield listening


def hear_until(ear: socket.socket, line: str) -> list[str]:
    """All lines up to this one."""
    lines: list[str] = []
    while line not in lines:
        lines += ear.recv(4096).decode().splitlines()
    return lines


def test_the_daemon_is_ready_alive_busy_and_stopping(host: Host, ear: socket.socket):
    """Signs of life come while it idles; the status names request and version."""
    host.component(scripts={"update.sh": "until [ -e go ]; do sleep 0.01; done"})
    host.start()
    assert hear_until(ear, "READY=1")[0] == "READY=1"
    for _ in range(5):
        hear_until(ear, "WATCHDOG=1")
    host.ask("r1", "update", version="1.2.3")
    hear_until(ear, "STATUS=update core 1.2.3 (r1)")
    (host.root / "components/core/go").touch()
    host.answer("r1")
    hear_until(ear, "STATUS=waiting for requests")
    host.terminate()
    hear_until(ear, "STOPPING=1")
    assert host.wait() == 0


def test_a_flood_does_not_silence_the_sign_of_life(host: Host, ear: socket.socket):
    """A pass that takes long says so in between: one message per batch of 64, while it is the first pass."""
    host.component()
    for number in range(640):
        (host.requests / f"bad-{number}.json").write_text("{}")
    host.start()
    hear_until(ear, "READY=1")
    host.answer("bad-639")
    host.terminate()
    assert hear_until(ear, "STOPPING=1").count("WATCHDOG=1") >= 10


def test_scripts_do_not_learn_of_the_socket(host: Host, ear: socket.socket):
    """A script that says READY, or nothing at all, is not taken for the coordinator."""
    host.component(scripts={"health-check.sh": "env"})
    host.start()
    assert "NOTIFY" not in host.settle("r1", "health")["output"]
