"""Liveness tracker: which components have been silent for too long. Pure; time is an argument."""

from __future__ import annotations

import math
from collections.abc import Iterable


class LivenessTracker:
    """Tracks the latest message of each component, and when it expires.

    A component that sends nothing but answers must have been sent a heartbeat request, and must have had the time
    between two requests and its expiry to answer. So a late request, after this process was suspended or the machine
    was busy, marks no component as silent.

    Args:
        components: the names of the tracked components.
        interval_s: the time between two heartbeat requests, > 0.
        alive_s: how long a message proves that its sender runs, > 0.
    """

    def __init__(self, components: Iterable[str], interval_s: float, alive_s: float) -> None:
        self._components = tuple(components)
        self._alive_s = alive_s
        self._answer_s = alive_s - interval_s
        self._last_message: dict[str, float] = {}
        self._unanswered_since: dict[str, float] = {}

    def restart(self, now: float) -> None:
        """Give every component its full time from ``now`` (monotonic seconds, as for all methods)."""
        self._last_message = dict.fromkeys(self._components, now)
        self._unanswered_since.clear()

    def record_request(self, now: float) -> None:
        """Record that every component was sent a heartbeat request."""
        for component in self._last_message:
            self._unanswered_since.setdefault(component, now)

    def record_message(self, component: str, now: float) -> None:
        """Record a message of ``component``."""
        self._last_message[component] = now
        self._unanswered_since.pop(component, None)

    def next_expiry(self) -> float:
        """Return when the next component expires without a message; infinity if none does."""
        return min(map(self._expiry, self._last_message), default=math.inf)

    def pop_expired(self, now: float) -> list[str]:
        """Return the components that have expired by ``now``; each is returned once until its next message."""
        expired = [component for component in self._last_message if self._expiry(component) <= now]
        for component in expired:
            del self._last_message[component]
            self._unanswered_since.pop(component, None)
        return expired

    def _expiry(self, component: str) -> float:
        expiry = self._last_message[component] + self._alive_s
        if self._answer_s <= 0:  # alive_s is shorter than the interval: waiting for a request would take longer
            return expiry
        return max(expiry, self._unanswered_since.get(component, math.inf) + self._answer_s)
