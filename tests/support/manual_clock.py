"""Fake of ``protocol.clock.Clock`` that advances only by sleeping."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)


class ManualClock:
    """Advances by ``sleep`` only; ``on_sleep`` is called with the number of sleeps, so a test can act meanwhile."""

    def __init__(self, on_sleep: Callable[[int], None] = lambda count: None) -> None:
        self.slept = 0.0
        self.sleeps = 0
        self._on_sleep = on_sleep

    def monotonic(self) -> float:
        return self.slept

    def utc(self) -> datetime:
        return START + timedelta(seconds=self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.sleeps += 1
        self._on_sleep(self.sleeps)
