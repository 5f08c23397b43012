"""A bell between threads: rung from anywhere, waited for in one place, without ever being missed."""

from __future__ import annotations

import os
import select


class Wakeup:
    """Wakes a thread that sleeps in ``wait``; rings between two waits are remembered as one."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._read, select.POLLIN)

    @property
    def signal_fd(self) -> int:
        """For ``signal.set_wakeup_fd``: a signal rings the bell, too."""
        return self._write

    def notify(self) -> None:
        """Wake the waiter; safe from any thread."""
        try:
            os.write(self._write, b"\0")
        except BlockingIOError:  # it is ringing already
            return

    def wait(self, timeout_s: float | None) -> bool:
        """Sleep until rung, or for ``timeout_s`` at most (None: for ever); whether it was rung."""
        rung = self._poll.poll(None if timeout_s is None else max(0, timeout_s) * 1000)
        try:
            while os.read(self._read, 4096):
                pass
        except BlockingIOError:
            pass
        return bool(rung)
