"""Clocks (I11): the only module that reads one; every other part gets a ``Clock`` as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The interface of a clock."""

    def monotonic(self) -> float:
        """Seconds that never jump; comparable between processes of one boot, meaningless across boots."""

    def utc(self) -> datetime:
        """The wall clock as an aware UTC stamp, for people to read; it may jump at any moment."""

    def sleep(self, seconds: float) -> None:
        """Sleep for ``seconds`` (≥ 0)."""


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """``CLOCK_MONOTONIC``, which Linux counts from boot for every process alike."""
        return time.monotonic()

    def utc(self) -> datetime:
        """The wall clock, cut to milliseconds: finer digits only make messages harder to read."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def sleep(self, seconds: float) -> None:
        """Block this thread for ``seconds``."""
        time.sleep(seconds)
