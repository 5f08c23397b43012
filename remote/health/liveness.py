"""Who has been silent for too long: told the time, does no I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable


class Lifetimes:
    """When each component was heard last, and until when it counts as alive.

    A component that answers questions and else is silent must have been asked, and have had the time to answer that
    lies between two questions and its end. So it costs nobody their life that questions came late: because we were
    paused, say, or the machine was busy.

    Args:
        components: those that are watched.
        interval_s: the time between two questions.
        alive_s: how long one message proves that its sender lives.
    """

    def __init__(self, components: Iterable[str], interval_s: float, alive_s: float) -> None:
        self._components = tuple(components)
        self._alive_s = alive_s
        self._answer_s = alive_s - interval_s
        self._heard: dict[str, float] = {}
        self._asked: dict[str, float] = {}

    def begin(self, now: float) -> None:
        """Give everyone a whole life from ``now``."""
        self._heard = dict.fromkeys(self._components, now)
        self._asked.clear()

    def asked(self, now: float) -> None:
        """Everyone was asked ``now``."""
        for component in self._heard:
            self._asked.setdefault(component, now)

    def heard(self, component: str, now: float) -> None:
        """``component`` said something ``now``."""
        self._heard[component] = now
        self._asked.pop(component, None)

    def next_end(self) -> float:
        """When the next life ends if nothing is heard; infinite when none does."""
        return min(map(self._end, self._heard), default=math.inf)

    def take_ended(self, now: float) -> list[str]:
        """Those whose lives have ended by ``now``; each is told once, until it is heard again."""
        ended = [component for component in self._heard if self._end(component) <= now]
        for component in ended:
            del self._heard[component]
            self._asked.pop(component, None)
        return ended

    def _end(self, component: str) -> float:
        end = self._heard[component] + self._alive_s
        if self._answer_s <= 0:  # a life that is shorter than the time between two questions cannot wait for them
            return end
        return max(end, self._asked.get(component, math.inf) + self._answer_s)
