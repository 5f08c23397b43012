"""A reader of ``status/`` that polls continuously and records every status it saw (I1, I5)."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

from protocol.names import PROGRESS_SUFFIX, SUFFIX

PERIOD_S = 0.001


class StatusMonitor:
    """Polls the directory from ``start`` to ``stop``.

    Args:
        status: the directory.
        period_s: polling period in seconds.

    ``finals`` holds the first content seen of each answer; ``violations`` describes content that no reader may see.
    """

    def __init__(self, status: Path, period_s: float = PERIOD_S) -> None:
        self.finals: dict[str, bytes] = {}
        self.violations: list[str] = []
        self.polls = 0
        self._status = status
        self._period_s = period_s
        self._seen: dict[str, tuple[int, int, int]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def stop(self) -> None:
        """Poll once more, and stop."""
        self._stopping.set()
        self._thread.join()
        self._poll()

    def take(self, request_id: str) -> None:
        """Remove an answer as its client does; it may appear again with the same content."""
        (self._status / f"{request_id}{SUFFIX}").unlink()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            self._poll()
            due = max(due + self._period_s, time.monotonic() - self._period_s)
            time.sleep(max(0.0, due - time.monotonic()))

    def _poll(self) -> None:
        self.polls += 1
        with os.scandir(self._status) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    self._read(entry)

    def _read(self, entry: os.DirEntry[str]) -> None:
        try:
            found = entry.stat()
            signature = (found.st_ino, found.st_size, found.st_mtime_ns)
            if self._seen.get(entry.name) == signature:
                return
            content = Path(entry.path).read_bytes()
        except FileNotFoundError:
            return
        self._seen[entry.name] = signature
        try:
            json.loads(content)
        except ValueError:
            self.violations.append(f"{entry.name} was seen with invalid JSON: {content[:80]!r}")
            return
        if not entry.name.endswith(PROGRESS_SUFFIX) and self.finals.setdefault(entry.name, content) != content:
            self.violations.append(f"{entry.name} changed from {self.finals[entry.name]!r} to {content!r}")
