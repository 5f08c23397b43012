"""What systemd is told of us, sd_notify(3): ready, alive, what we are busy with. Silent where nobody asked.

The protocol is one datagram per message; the libraries for it need a compiler, or were left years ago.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from math import inf

_PINGS_PER_TIMEOUT = 2  # as sd_watchdog_enabled(3) advises
_WIDEST = 200  # a status is one line for people


class SdNotifier:
    """One socket, and what each lane is busy with.

    Args:
        address: of the socket systemd listens on; None when nobody does.
        watchdog_s: within how many seconds it wants a sign of life; None when it does not.
    """

    def __init__(self, address: str | None, watchdog_s: float | None) -> None:
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        self.interval_s = inf if watchdog_s is None else watchdog_s / _PINGS_PER_TIMEOUT
        self._lanes: dict[str, str] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> SdNotifier:
        """As the environment of process ``pid`` says, which systemd set up."""
        is_watched = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        micros = environment.get("WATCHDOG_USEC", "") if is_watched else ""
        return cls(environment.get("NOTIFY_SOCKET"), int(micros) / 1e6 if micros.isdecimal() else None)

    def ready(self) -> None:
        """The start is over: what follows is not held against it."""
        self._tell("READY=1", f"STATUS={self._status()}")

    def watchdog(self) -> None:
        """Work goes on."""
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """We were asked to end, and are about to."""
        self._tell("STOPPING=1", "STATUS=stopping")

    def set_status(self, lane: str, words: str) -> None:
        """``lane`` begins with what ``words`` say."""
        with self._lock:
            self._lanes[lane] = words
            self._tell(f"STATUS={self._status()}")

    def clear_status(self, lane: str) -> None:
        """``lane`` has nothing to do any more."""
        with self._lock:
            if self._lanes.pop(lane, None) is not None:
                self._tell(f"STATUS={self._status()}")

    def _status(self) -> str:
        text = "; ".join(words for _, words in sorted(self._lanes.items())) or "waiting for requests"
        return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"

    def _tell(self, *lines: str) -> None:
        if self._address is None:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto("\n".join(lines).encode(), self._address)  # a status that is lost costs nothing
