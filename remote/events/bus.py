"""Event bus: numbers events, delivers them to all subscribers, and replays what a returning subscriber missed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Protocol

from loguru import logger

from remote.events.envelope import EventBody, OutgoingMessage
from remote.state_database import StoreError
from remote.store import StateStore

_BLOCK = 1_000_000  # numbers reserved by one write, and by each start
_MAX_EVENTS = 4096
_MAX_CHARACTERS = 1024 * 1024

ReplayAnswers = Callable[[int, int], Iterable[OutgoingMessage]]


class SequenceAllocator:
    """Allocates numbers from durably reserved blocks, so that none is allocated twice, even after a crash.

    Args:
        store: keeps the reservations.
        block: how many numbers to reserve at once, >= 1.

    Raises:
        StoreError: no block can be reserved.
    """

    def __init__(self, store: StateStore, block: int = _BLOCK) -> None:
        self._store = store
        self._block = block
        self._end = store.reserve_event_numbers(block)
        self._last = self._end - block

    @property
    def last(self) -> int:
        """The number that was allocated last; before the first, the one before it."""
        return self._last

    def ensure(self, count: int) -> None:
        """Have at least ``count`` reserved numbers left.

        Raises:
            StoreError: no block can be reserved.
        """
        while self._end - self._last < count:
            self._end = self._store.reserve_event_numbers(self._block)

    def next(self) -> int:
        """Allocate the next number.

        Raises:
            StoreError: as ``ensure``.
        """
        self.ensure(1)
        self._last += 1
        return self._last


class Subscriber(Protocol):
    """A client that receives events."""

    def enqueue(self, message: OutgoingMessage) -> None:
        """Accept one more message, without waiting."""


class EventBus:
    """Delivers events in the order of their numbers, and keeps the latest in a bounded buffer (I12).

    Args:
        sequence: allocates the numbers.
        replay_answers: returns the events of recorded answers between two numbers, both excluded.
        max_events: how many events the replay buffer holds, >= 1.
        max_characters: how large they may be together; the latest event is always kept.
    """

    def __init__(
        self,
        sequence: SequenceAllocator,
        replay_answers: ReplayAnswers,
        max_events: int = _MAX_EVENTS,
        max_characters: int = _MAX_CHARACTERS,
    ) -> None:
        self._sequence = sequence
        self._replay_answers = replay_answers
        self._max_events = max_events
        self._max_characters = max_characters
        self._buffer: deque[OutgoingMessage] = deque()
        self._size = 0
        self._subscribers: set[Subscriber] = set()
        self._transaction = asyncio.Lock()
        self._deferred: list[EventBody] = []

    @property
    def last(self) -> int:
        """The number of the newest event."""
        return self._sequence.last

    def publish(self, *bodies: EventBody) -> None:
        """Deliver events to all subscribers; during a transaction, right after it."""
        if self._transaction.locked():
            self._deferred += bodies
        else:
            self._publish_now(bodies)

    @asynccontextmanager
    async def transaction(self, *bodies: EventBody) -> AsyncIterator[int]:
        """Deliver events at the end of the block, which gets the first one's number and records it.

        The events and their numbers are durable before any subscriber receives them, and no other event is delivered in
        between (I2). When the block fails, they are not delivered, and later events get their numbers.

        Raises:
            StoreError: the numbers cannot be reserved; the block does not run.
        """
        try:
            async with self._transaction:
                self._sequence.ensure(len(bodies))
                yield self._sequence.last + 1
                self._publish_now(bodies)
        finally:
            deferred, self._deferred = self._deferred, []
            self._publish_now(deferred)

    def _publish_now(self, bodies: Iterable[EventBody]) -> None:
        for body in bodies:
            try:
                message = OutgoingMessage(body, number=self._sequence.next())
            except StoreError as error:  # only without a transaction: an event that clients can request again
                logger.error("cannot publish {}: {}", body.SUBJECT, error)
                continue
            self._keep(message)
            for subscriber in list(self._subscribers):
                self._deliver(subscriber, message)

    def _keep(self, message: OutgoingMessage) -> None:
        self._buffer.append(message)
        self._size += message.size
        while len(self._buffer) > self._max_events or (self._size > self._max_characters and len(self._buffer) > 1):
            self._size -= self._buffer.popleft().size

    def _deliver(self, subscriber: Subscriber, message: OutgoingMessage) -> None:
        try:
            subscriber.enqueue(message)
        except Exception:  # noqa: BLE001  one failing subscriber must not stop the others (I16)
            logger.exception("cannot deliver an event to a subscriber; it is unsubscribed")
            self.unsubscribe(subscriber)

    def subscribe(self, subscriber: Subscriber, since: int | None, on_start: Callable[[bool], None]) -> None:
        """Deliver what ``subscriber`` missed, then every event from now on.

        Args:
            subscriber: not subscribed yet.
            since: the last number that it received; None for a new one, which missed nothing.
            on_start: called before the first event; its argument is whether all missed events are still available.
        """
        missed, is_complete = ([], True) if since is None else self._missed(since)
        on_start(is_complete)
        for message in missed:
            subscriber.enqueue(message)
        self._subscribers.add(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Deliver nothing more to ``subscriber``."""
        self._subscribers.discard(subscriber)

    def _missed(self, since: int) -> tuple[list[OutgoingMessage], bool]:
        if since > self._sequence.last:
            return [], False  # a number that was never allocated: the state was lost
        first = (self._buffer[0].number if self._buffer else None) or self._sequence.last + 1
        kept = [message for message in self._buffer if (message.number or 0) > since]
        if since >= first - 1:
            return kept, True
        return [*self._replay_answers(since, first), *kept], False
