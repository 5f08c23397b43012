"""Event bus: delivery to all subscribers, and replay to returning ones."""

from __future__ import annotations

import asyncio

import pytest
from recording_subscriber import RecordingSubscriber

from remote.events.bodies import LogLine
from remote.events.bus import EventBus, SequenceAllocator
from remote.events.envelope import OutgoingMessage
from remote.state_database import StoreError
from remote.store import StateStore


def event(text):
    """An event with this text."""
    return LogLine(message=text, level="info")


class FailingSubscriber(RecordingSubscriber):
    """Raise an exception for each event."""

    def enqueue(self, message):
        super().enqueue(message)
        raise RuntimeError("unexpected")


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    opened = StateStore(tmp_path / "state.sqlite", 10)
    yield opened
    opened.close()


@pytest.fixture
def make_bus(store):
    """Factory of buses whose numbers start at 1."""

    def make(replay=lambda _after, _before: [], **limits):
        return EventBus(SequenceAllocator(store), replay, **limits)

    return make


def subscribe(bus, since=None):
    """Subscribe a new or returning subscriber; return it, and whether the replay is complete."""
    subscriber, complete = RecordingSubscriber(), []
    bus.subscribe(subscriber, since, complete.append)
    return subscriber, complete[0]


def test_event_bus_delivers_every_event_with_rising_numbers(make_bus):
    """Two subscribers receive the same events in the same order."""
    bus = make_bus()
    (first, _), (second, _) = subscribe(bus), subscribe(bus)
    bus.publish(event("a"), event("b"))
    bus.publish(event("c"))
    assert first.received == second.received == [("a", 1), ("b", 2), ("c", 3)]


def test_event_bus_shares_the_message_between_subscribers(make_bus):
    """All subscribers receive the same object, so that memory does not grow with their number (I12)."""
    bus = make_bus()
    (first, _), (second, _) = subscribe(bus), subscribe(bus)
    bus.publish(event("a"))
    assert first.messages[0] is second.messages[0]


def test_event_bus_delivers_nothing_after_unsubscribe(make_bus):
    """An event that is published after ``unsubscribe`` is not delivered."""
    bus = make_bus()
    subscriber, _ = subscribe(bus)
    bus.unsubscribe(subscriber)
    bus.publish(event("a"))
    assert subscriber.received == []


def test_event_bus_unsubscribes_a_failing_subscriber_and_serves_the_others(make_bus):
    """One failing subscriber stops neither the publisher nor the others (I16)."""
    bus = make_bus()
    failing = FailingSubscriber()
    first, _ = subscribe(bus)
    bus.subscribe(failing, None, lambda _is_complete: None)
    last, _ = subscribe(bus)
    bus.publish(event("a"), event("b"))
    assert first.received == last.received == [("a", 1), ("b", 2)]
    assert failing.received == [("a", 1)]


def test_event_bus_replays_missed_events_to_a_returning_subscriber(make_bus):
    """The events after the last received one are delivered once each, and then new events."""
    bus = make_bus()
    bus.publish(*[event(f"old {number}") for number in range(5)])
    subscriber, is_complete = subscribe(bus, since=3)
    bus.publish(event("new"))
    assert is_complete
    assert subscriber.received == [("old 3", 4), ("old 4", 5), ("new", 6)]


def test_event_bus_replays_nothing_to_an_up_to_date_subscriber(make_bus):
    """The replay after the newest number is empty and complete."""
    bus = make_bus()
    bus.publish(event("a"))
    subscriber, is_complete = subscribe(bus, since=1)
    assert (subscriber.received, is_complete) == ([], True)


def test_event_bus_replays_nothing_to_a_new_subscriber(make_bus):
    """A subscriber without a number receives new events only."""
    bus = make_bus()
    bus.publish(event("a"))
    subscriber, is_complete = subscribe(bus)
    assert (subscriber.received, is_complete) == ([], True)


def test_event_bus_replays_recorded_answers_beyond_its_buffer(make_bus):
    """The replay is reported as incomplete; answers are replayed from their records."""
    requested = []

    def replay(after, before):
        requested.append((after, before))
        return [OutgoingMessage(event("answer"), number=2)]

    bus = make_bus(replay, max_events=2)
    bus.publish(*[event("e") for _ in range(6)])
    subscriber, is_complete = subscribe(bus, since=1)
    assert not is_complete
    assert subscriber.received == [("answer", 2), ("e", 5), ("e", 6)]
    assert requested == [(1, 5)]


@pytest.mark.parametrize(("since", "is_complete"), [(3, False), (4, True), (5, True)])
def test_event_bus_replay_is_complete_from_its_oldest_event(make_bus, since, is_complete):
    """The replay is complete if the last received event is just before the oldest buffered one, or later."""
    bus = make_bus(max_events=2)
    bus.publish(*[event("e") for _ in range(6)])  # of 1 to 6, 5 and 6 are buffered
    subscriber, was_complete = subscribe(bus, since)
    assert was_complete == is_complete
    assert subscriber.received == [("e", number) for number in (5, 6) if number > since]


def test_event_bus_bounds_its_buffer_by_size(make_bus):
    """Large events displace older ones (I12)."""
    bus = make_bus(max_characters=1300)
    bus.publish(*[event("x" * 400) for _ in range(10)])
    subscriber, _ = subscribe(bus, since=0)
    assert [number for _, number in subscriber.received] == [9, 10]


def test_event_bus_reports_a_number_that_was_never_allocated(make_bus):
    """A number above the last allocated one means that the state was lost: the replay is incomplete."""
    bus = make_bus()
    bus.publish(event("a"))
    subscriber, is_complete = subscribe(bus, since=99)
    assert (subscriber.received, is_complete) == ([], False)


def test_event_bus_transaction_delivers_after_its_block(make_bus):
    """The block knows the first number in advance, and events published meanwhile follow its events (I2)."""
    bus = make_bus()
    subscriber, _ = subscribe(bus)

    async def settle():
        async with bus.transaction(event("result"), event("log")) as number:
            assert number == 1
            bus.publish(event("meanwhile"))
            await asyncio.sleep(0)
            assert subscriber.received == []

    asyncio.run(settle())
    assert subscriber.received == [("result", 1), ("log", 2), ("meanwhile", 3)]


def test_event_bus_transaction_delivers_nothing_when_its_block_fails(make_bus):
    """Events published meanwhile are delivered, and the number is used for the next event."""
    bus = make_bus()
    subscriber, _ = subscribe(bus)

    async def fail():
        async with bus.transaction(event("result")):
            bus.publish(event("meanwhile"))
            raise OSError

    with pytest.raises(OSError):
        asyncio.run(fail())
    assert subscriber.received == [("meanwhile", 1)]


def test_event_bus_transactions_exclude_each_other(make_bus):
    """Two concurrent results keep the numbers with which they were recorded."""
    bus = make_bus()
    subscriber, _ = subscribe(bus)
    recorded = {}

    async def settle(name):
        async with bus.transaction(event(name), event(f"{name} log")) as number:
            await asyncio.sleep(0)
            recorded[name] = number

    async def both():
        await asyncio.gather(settle("one"), settle("two"))

    asyncio.run(both())
    assert dict(subscriber.received) | recorded == dict(subscriber.received)


def test_event_bus_drops_an_event_without_a_number_and_continues(store):
    """With a full disk and no reserved number left, the publisher continues, and later events are delivered (I16)."""
    sequence = SequenceAllocator(store, block=1)
    bus = EventBus(sequence, lambda _after, _before: [])
    subscriber, _ = subscribe(bus)
    reserve, full = store.reserve_event_numbers, [True]

    def reserve_unless_full(count):
        if full[0]:
            raise StoreError("disk full")
        return reserve(count)

    store.reserve_event_numbers = reserve_unless_full
    bus.publish(event("a"), event("lost"))
    full[0] = False
    bus.publish(event("b"))
    assert subscriber.received == [("a", 1), ("b", 2)]


def test_event_bus_transaction_reserves_its_numbers_before_its_block(store):
    """A record never has a number that a restart could allocate again (I2)."""
    bus = EventBus(SequenceAllocator(store, block=1), lambda _after, _before: [])

    async def settle():
        async with bus.transaction(event("result"), event("log")) as number:
            assert store.reserve_event_numbers(1) > number + 1

    asyncio.run(settle())


@pytest.mark.parametrize("restarts", [1, 3])
@pytest.mark.parametrize("closes", [True, False])
def test_sequence_grows_across_restarts(tmp_path, restarts, closes):
    """No number is allocated twice, with or without a clean close."""
    allocated = []
    for _ in range(restarts):
        store = StateStore(tmp_path / "state.sqlite", 10)
        sequence = SequenceAllocator(store)
        allocated += [sequence.next() for _ in range(3)]
        if closes:
            store.close()
    assert allocated == sorted(set(allocated))


def test_sequence_continues_with_the_next_block(tmp_path):
    """Numbers continue across blocks, and a restart starts after them."""
    sequence = SequenceAllocator(StateStore(tmp_path / "state.sqlite", 10), block=2)
    assert [sequence.next() for _ in range(5)] == [1, 2, 3, 4, 5]
    assert SequenceAllocator(StateStore(tmp_path / "state.sqlite", 10), block=2).next() > 5


def test_sequence_ensure_reserves_without_allocating(tmp_path):
    """``last`` is unchanged; a restart starts after all reserved numbers."""
    sequence = SequenceAllocator(StateStore(tmp_path / "state.sqlite", 10), block=2)
    sequence.ensure(5)
    assert sequence.last == 0
    assert SequenceAllocator(StateStore(tmp_path / "state.sqlite", 10), block=2).next() > 5
