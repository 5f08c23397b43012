"""What is known of every component: running, not running or unknown; since when, and how it was learned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from protocol.clock import Clock


class How(StrEnum):
    """How it was learned."""

    HEARTBEAT = "heartbeat"
    HEALTH_CHECK = "health check"
    UPDATE = "update"
    ITSELF = "itself"


@dataclass(frozen=True)
class Standing:
    """What is known of one component.

    Attributes:
        running: None when nothing is known, or not any more.
        at: when that was learned, aware UTC; None where nothing ever was.
        how: None when nothing is known.
    """

    running: bool | None
    at: datetime | None
    how: How | None


class Board:
    """The standing of every component, in memory: after a start everything is learned anew.

    Args:
        components: the names of all there are.
        itself: the one among them that this program is: it runs, whatever is said of it. None when it is none.
        clock: tells when something was learned.
    """

    def __init__(self, components: Iterable[str], itself: str | None, clock: Clock) -> None:
        self._standings = dict.fromkeys(components, Standing(None, None, None))
        self._itself = itself
        self._clock = clock
        if itself in self._standings:
            self._standings[itself] = Standing(running=True, at=clock.utc(), how=How.ITSELF)

    def of(self, component: str) -> Standing:
        """What is known of ``component``, which must be one of those given."""
        return self._standings[component]

    def learn(self, component: str, running: bool | None, how: How | None) -> bool:
        """Note what was learned just now, and tell whether ``running`` changed by it."""
        before = self.of(component)
        if component == self._itself:
            return False
        self._standings[component] = Standing(running, self._clock.utc(), how)
        return running is not before.running
