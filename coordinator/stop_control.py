"""Stop control: which runs must end, and whether new ones may start. One flag per request, and one for all."""

from __future__ import annotations

import threading


class StopControl:
    """Shared by the daemon, which stops, and the lanes, which ask; thread-safe."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._interrupt_all = threading.Event()
        self._interrupted: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    @property
    def is_stopping(self) -> bool:
        """Whether the coordinator is about to end: no script is started any more."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Start no script any more; a run that outlives the coordinator may be left to the next one."""
        self._stopping.set()

    def interrupt_all(self) -> None:
        """End every run now, as I3 says."""
        self._interrupt_all.set()

    def interrupt(self, request_id: str) -> None:
        """End the run of one request now; no other request notices."""
        with self._lock:
            self._interrupted |= {request_id}

    def discard(self, request_id: str) -> None:
        """Drop the flag of a request that is settled."""
        with self._lock:
            self._interrupted -= {request_id}

    def is_interrupted(self, request_id: str) -> bool:
        """Whether the run of that request must end now."""
        return self._interrupt_all.is_set() or request_id in self._interrupted
