"""Self-pipe wake-up: notify from any thread or signal handler; wake-ups coalesce and are never lost."""

from __future__ import annotations

import os
import select

_LONGEST_WAIT_S = 3600.0  # poll(2) takes milliseconds as an int: a wait of 25 days would raise


class Wakeup:
    """Wakes the thread that sleeps in ``wait``; notifications between two waits count as one."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._read, select.POLLIN)

    @property
    def signal_fd(self) -> int:
        """For ``signal.set_wakeup_fd``: a signal notifies as well."""
        return self._write

    def notify(self) -> None:
        """Wake the waiting thread; safe from any thread."""
        try:
            os.write(self._write, b"\0")
        except BlockingIOError:  # the pipe is full of notifications
            return

    def wait(self, timeout_s: float | None) -> bool:
        """Sleep until notified, for ``timeout_s`` or an hour at most (None: without limit).

        Returns:
            Whether it was notified; if not, the caller looks again what is due.
        """
        limit_s = None if timeout_s is None else min(max(0.0, timeout_s), _LONGEST_WAIT_S)
        ready = self._poll.poll(None if limit_s is None else limit_s * 1000)
        try:
            while os.read(self._read, 4096):
                pass
        except BlockingIOError:
            pass
        return bool(ready)
