"""What systemd is told, on a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest

from coordinator.sd_notify import SdNotifier


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    """Where systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        yield listening


def heard(ear: socket.socket) -> list[str]:
    """The next message, by lines."""
    return ear.recv(4096).decode().splitlines()


def test_each_message_is_one_datagram(ear: socket.socket):
    """Ready, busy, idle, alive, stopping; the status says what all lanes do."""
    manager = SdNotifier(ear.getsockname(), 10.0)
    manager.ready()
    assert heard(ear) == ["READY=1", "STATUS=waiting for requests"]
    manager.set_status("compose", "update remote 1.1.0 (a)")
    assert heard(ear) == ["STATUS=update remote 1.1.0 (a)"]
    manager.set_status("core", "health core (b)")
    assert heard(ear) == ["STATUS=update remote 1.1.0 (a); health core (b)"]
    manager.clear_status("compose")
    manager.clear_status("compose")
    manager.watchdog()
    assert [heard(ear), heard(ear)] == [["STATUS=health core (b)"], ["WATCHDOG=1"]]
    manager.stopping()
    assert heard(ear) == ["STOPPING=1", "STATUS=stopping"]


def test_a_status_stays_on_one_line(ear: socket.socket):
    """However many lanes there are."""
    manager = SdNotifier(ear.getsockname(), None)
    manager.set_status("core", "x" * 500)
    assert len(heard(ear)[0]) == len("STATUS=") + 200


def test_an_abstract_address_is_understood():
    """As in containers: the name begins with a zero byte."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0a test of the update coordinator")
        listening.settimeout(60)
        SdNotifier("@a test of the update coordinator", None).watchdog()
        assert heard(listening) == ["WATCHDOG=1"]


def test_nobody_listening_is_no_error(tmp_path: Path):
    """Started by hand, or by a systemd that is just being replaced."""
    SdNotifier(None, None).ready()
    SdNotifier(str(tmp_path / "gone"), None).ready()


@pytest.mark.parametrize(
    ("environment", "interval_s"),
    [
        ({}, inf),
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, inf),
        ({"WATCHDOG_USEC": "soon"}, inf),
    ],
)
def test_the_watchdog_is_as_the_environment_says(environment: dict[str, str], interval_s: float):
    """Half its time, if it is meant for this process (sd_watchdog_enabled(3))."""
    assert SdNotifier.of(environment, 7).interval_s == interval_s
