"""sd_notify: what is sent to systemd, on a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from math import inf
from pathlib import Path

import pytest

from coordinator.sd_notify import SdNotifier
from fsm.records import RequestRecord
from protocol.types import Action, State

NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """The notification socket, in the place of systemd's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        yield listening


def record(request_id: str, component: str, action: Action, version: str | None) -> RequestRecord:
    """A request that runs."""
    return RequestRecord(
        request_id, component, action, version, NOON, NOON, State.RUNNING, None, "", None, 0, None, published=False
    )


def received(listener: socket.socket) -> list[str]:
    """The next message, by lines."""
    return listener.recv(4096).decode().splitlines()


def test_notifier_sends_each_message_as_one_datagram(listener: socket.socket):
    """Ready, started, settled, watchdog, stopping; the status names every request that runs."""
    notifier = SdNotifier(listener.getsockname(), 10.0)
    notifier.ready()
    assert received(listener) == ["READY=1", "STATUS=waiting for requests"]
    notifier.started(record("a", "remote", Action.UPDATE, "1.1.0"), "update.sh")
    assert received(listener) == ["STATUS=update remote 1.1.0 (a)"]
    notifier.started(record("b", "core", Action.HEALTH, None), "health-check.sh")
    assert received(listener) == ["STATUS=health core (b); update remote 1.1.0 (a)"]
    notifier.settled(record("a", "remote", Action.UPDATE, "1.1.0"))
    notifier.settled(record("a", "remote", Action.UPDATE, "1.1.0"))
    notifier.watchdog()
    assert [received(listener), received(listener)] == [["STATUS=health core (b)"], ["WATCHDOG=1"]]
    notifier.stopping()
    assert received(listener) == ["STOPPING=1", "STATUS=stopping"]


def test_status_text_is_bounded(listener: socket.socket):
    """This holds however many lanes run."""
    notifier = SdNotifier(listener.getsockname(), None)
    notifier.started(record("x" * 500, "core", Action.HEALTH, None), "health-check.sh")
    assert len(received(listener)[0]) == len("STATUS=") + 200


def test_notifier_accepts_an_abstract_address():
    """Containers use one: its name begins with a zero byte."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0a test of the update coordinator")
        listening.settimeout(60)
        SdNotifier("@a test of the update coordinator", None).watchdog()
        assert received(listening) == ["WATCHDOG=1"]


def test_notifier_ignores_a_missing_socket(tmp_path: Path):
    """The coordinator may be started by hand, or by a systemd that is being replaced."""
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
def test_watchdog_interval_comes_from_the_environment(environment: dict[str, str], interval_s: float):
    """It is half of WATCHDOG_USEC, if that is meant for this process (sd_watchdog_enabled(3))."""
    assert SdNotifier.from_environment(environment, 7).interval_s == interval_s
