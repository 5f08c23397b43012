"""The daemon as a systemd service: its messages on the notification socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.real_host import DEADLINE_S, Host


@pytest.fixture
def notify_socket(host: Host, tmp_path: Path) -> Iterator[socket.socket]:
    """A notification socket in the place of systemd's, with a watchdog interval of 0.2 s."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(DEADLINE_S)
        host.environment |= {"NOTIFY_SOCKET": receiver.getsockname(), "WATCHDOG_USEC": "200000"}
        yield receiver


def receive_until(notify_socket: socket.socket, line: str) -> list[str]:
    """All lines up to and including ``line``."""
    lines: list[str] = []
    while line not in lines:
        lines += notify_socket.recv(4096).decode().splitlines()
    return lines


def test_daemon_sends_ready_watchdog_status_and_stopping(host: Host, notify_socket: socket.socket):
    """Watchdog messages arrive while idle; the status names request and version."""
    host.component(scripts={"update.sh": "until [ -e go ]; do sleep 0.1; done"})
    host.start()
    assert receive_until(notify_socket, "READY=1")[0] == "READY=1"
    for _ in range(5):
        receive_until(notify_socket, "WATCHDOG=1")
    host.submit("r1", "update", version="1.2.3")
    receive_until(notify_socket, "STATUS=update core 1.2.3 (r1)")
    (host.root / "components/core/go").touch()
    host.answer("r1")
    receive_until(notify_socket, "STATUS=waiting for requests")
    host.terminate()
    receive_until(notify_socket, "STOPPING=1")
    assert host.wait() == 0


def test_watchdog_messages_continue_during_a_flood(host: Host, notify_socket: socket.socket):
    """A long first pass sends a watchdog message per batch of 64 files."""
    host.component()
    for number in range(640):
        (host.requests / f"bad-{number}.json").write_text("{}")
    host.start()
    receive_until(notify_socket, "READY=1")
    host.answer("bad-639")
    host.terminate()
    assert receive_until(notify_socket, "STOPPING=1").count("WATCHDOG=1") >= 10


def test_scripts_do_not_inherit_the_notification_socket(host: Host, notify_socket: socket.socket):
    """Scripts do not inherit the socket, so they cannot send messages for the coordinator."""
    host.component(scripts={"health-check.sh": "env"})
    host.start()
    assert "NOTIFY" not in host.submit_and_wait("r1", "health")["output"]
