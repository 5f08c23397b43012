"""Registry of the health of all components: running, not running or unknown; since when and from which source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from protocol.clock import Clock


class HealthSource(StrEnum):
    """The source of a health status."""

    HEARTBEAT = "heartbeat"
    HEALTH_CHECK = "health check"
    UPDATE = "update"
    ITSELF = "itself"


@dataclass(frozen=True)
class HealthStatus:
    """Health of one component.

    Attributes:
        running: None if unknown.
        at: when this was recorded, aware UTC; None if nothing was ever recorded.
        how: the source; None if unknown.
    """

    running: bool | None
    at: datetime | None
    how: HealthSource | None


class HealthRegistry:
    """Health of every component, in memory only: after a start everything is unknown.

    Args:
        components: the names of all components.
        itself: the component that is this program, which always runs; None if it is not configured.
        clock: the source of time.
    """

    def __init__(self, components: Iterable[str], itself: str | None, clock: Clock) -> None:
        self._statuses = dict.fromkeys(components, HealthStatus(None, None, None))
        self._itself = itself
        self._clock = clock
        if itself in self._statuses:
            self._statuses[itself] = HealthStatus(running=True, at=clock.utc(), how=HealthSource.ITSELF)

    def of(self, component: str) -> HealthStatus:
        """Return the health of ``component``, which must be one of the given names."""
        return self._statuses[component]

    def record(self, component: str, running: bool | None, how: HealthSource | None) -> bool:
        """Record a health status with the present time; return whether ``running`` changed."""
        before = self.of(component)
        if component == self._itself:
            return False
        self._statuses[component] = HealthStatus(running, self._clock.utc(), how)
        return running is not before.running
