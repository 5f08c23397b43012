"""Stop control: which runs must end, and whether new ones may start. One flag per request, and one for all."""

from __future__ import annotations

import threading


class StopControl:
    """Shared by the daemon, which sets the flags, and the lanes, which read them; thread-safe.

    ``stop`` and ``interrupt_all`` only assign: a signal handler calls them, and a lock that the interrupted code holds
    would never be released.
    """

    def __init__(self) -> None:
        self._is_stopping = False
        self._is_all_interrupted = False
        self._interrupted: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    @property
    def is_stopping(self) -> bool:
        """Whether the coordinator is about to end: no script is started any more."""
        return self._is_stopping

    def stop(self) -> None:
        """Start no more scripts; a run that outlives the coordinator may be left to the next one."""
        self._is_stopping = True

    def interrupt_all(self) -> None:
        """End every run now, as I3 requires."""
        self._is_all_interrupted = True

    @property
    def is_all_interrupted(self) -> bool:
        """Whether every run must end now, those of rollbacks included."""
        return self._is_all_interrupted

    def interrupt(self, request_id: str) -> None:
        """End the run of one request now, and start no other for it except its rollback.

        No other request is affected. The flag is kept until the request is settled.
        """
        with self._lock:
            self._interrupted |= {request_id}

    def discard(self, request_id: str) -> None:
        """Drop the flag of a request that is settled."""
        with self._lock:
            self._interrupted -= {request_id}

    def is_interrupted(self, request_id: str) -> bool:
        """Whether ``interrupt`` was called for that request."""
        return request_id in self._interrupted
