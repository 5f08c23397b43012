"""The stream of numbered events: what everybody hears, and what a client that was away hears afterwards."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Protocol

from remote.api import envelope
from remote.api.envelope import Event
from remote.events.sequence import Numbers

_RING_EVENTS = 4096
_RING_CHARACTERS = 1024 * 1024

Told = tuple[int, str]  # an event's number, and its text
Earlier = Callable[[int, int], Iterable[tuple[int, Event]]]


class Subscriber(Protocol):
    """A client that hears events."""

    def offer(self, text: str) -> None:
        """Take one more message, without waiting."""


class Stream:
    """Numbers events and passes them on; keeps the latest, bounded by number and size (I12).

    Args:
        numbers: loaded.
        earlier: what is remembered for ever of events between two numbers, both excluded: the answers to requests.
    """

    def __init__(self, numbers: Numbers, earlier: Earlier) -> None:
        self._numbers = numbers
        self._earlier = earlier
        self._ring: deque[Told] = deque()
        self._size = 0
        self._subscribers: set[Subscriber] = set()
        self._turn = asyncio.Lock()
        self._waiting: list[Event] = []

    @property
    def last(self) -> int:
        """The number of the newest event."""
        return self._numbers.last

    def publish(self, *events: Event) -> None:
        """Tell everybody; while somebody has a turn, right after it."""
        if self._turn.locked():
            self._waiting += events
        else:
            self._tell(events)

    @asynccontextmanager
    async def turn(self, *events: Event) -> AsyncIterator[int]:
        """Tell ``events`` at the end of the block, which knows the first one's number and may write it down.

        An event that must not be lost is on disk, with its number, before anybody hears it; nothing gets in between.
        When the block fails, nobody hears of it.
        """
        try:
            async with self._turn:
                yield self._numbers.last + 1
                self._tell(events)
        finally:
            waiting, self._waiting = self._waiting, []
            self._tell(waiting)

    def _tell(self, events: Iterable[Event]) -> None:
        for told in events:
            number = self._numbers.take()
            text = envelope.event(number, told.subject, told.body)
            self._ring.append((number, text))
            self._size += len(text)
            while len(self._ring) > _RING_EVENTS or (self._size > _RING_CHARACTERS and len(self._ring) > 1):
                self._size -= len(self._ring.popleft()[1])
            for subscriber in list(self._subscribers):
                subscriber.offer(text)

    def join(self, subscriber: Subscriber, since: int | None, welcome: Callable[[bool], str]) -> None:
        """Have ``subscriber`` hear what it missed, and everything from now on.

        Args:
            subscriber: not joined yet.
            since: the last number that it saw; None for one that was never here.
            welcome: the first message, made once it is known whether all that was missed is still there.
        """
        missed, is_complete = ([], True) if since is None else self._missed(since)
        subscriber.offer(welcome(is_complete))
        for text in missed:
            subscriber.offer(text)
        self._subscribers.add(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        """Tell it nothing more."""
        self._subscribers.discard(subscriber)

    def _missed(self, since: int) -> tuple[list[str], bool]:
        first = self._ring[0][0] if self._ring else self._numbers.last + 1
        kept = [text for number, text in self._ring if number > since]
        if since > self._numbers.last:
            return [], False  # a number that we never gave: our memory was lost
        if since >= first - 1:
            return kept, True
        earlier = [envelope.event(number, told.subject, told.body) for number, told in self._earlier(since, first)]
        return earlier + kept, False
