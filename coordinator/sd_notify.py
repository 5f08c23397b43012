"""Notifies systemd, sd_notify(3): ready, watchdog, and which requests run. Does nothing without a notify socket.

The protocol is one datagram per message; the libraries for it need a compiler or are unmaintained.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from math import inf

from coordinator import texts
from coordinator.observers import RequestObserver
from fsm.records import RequestRecord

_PINGS_PER_TIMEOUT = 2  # as sd_watchdog_enabled(3) advises
_STATUS_CHARACTERS = 200  # a status is one line for people


class SdNotifier(RequestObserver):
    """One socket, and the requests that run.

    Args:
        address: of the socket systemd listens on; None when it does not.
        watchdog_s: the interval within which it expects a ping; None when it does not.
    """

    def __init__(self, address: str | None, watchdog_s: float | None) -> None:
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        self.interval_s = inf if watchdog_s is None else watchdog_s / _PINGS_PER_TIMEOUT
        self._running: dict[str, str] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], pid: int) -> SdNotifier:
        """Create the notifier from the variables that systemd set for process ``pid``."""
        is_watched = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        micros = environment.get("WATCHDOG_USEC", "") if is_watched else ""
        return cls(environment.get("NOTIFY_SOCKET"), int(micros) / 1e6 if micros.isdecimal() else None)

    def ready(self) -> None:
        """The start is complete."""
        self._send("READY=1", f"STATUS={self._status()}")

    def watchdog(self) -> None:
        """The main loop makes progress."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The coordinator is about to end."""
        self._send("STOPPING=1", "STATUS=stopping")

    def started(self, record: RequestRecord, script: str) -> None:
        """Show the request in the status."""
        del script  # the status names requests; progress names scripts
        with self._lock:
            self._running[record.request_id] = f"{texts.describe(record)} ({record.request_id})"
            self._send(f"STATUS={self._status()}")

    def settled(self, record: RequestRecord) -> None:
        """Remove the request from the status."""
        with self._lock:
            if self._running.pop(record.request_id, None) is not None:
                self._send(f"STATUS={self._status()}")

    def _status(self) -> str:
        text = "; ".join(sorted(self._running.values())) or "waiting for requests"
        return text if len(text) <= _STATUS_CHARACTERS else f"{text[: _STATUS_CHARACTERS - 1]}…"

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto("\n".join(lines).encode(), self._address)  # a lost status does no harm
