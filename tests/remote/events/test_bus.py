"""Numbered events: everybody hears them, and whoever was away misses nothing."""

from __future__ import annotations

import asyncio
import json

import pytest

from remote.api.envelope import Event
from remote.events import bus as stream_module
from remote.events.bus import Stream
from remote.events.sequence import Numbers


class Ears:
    """A client that keeps what it hears."""

    def __init__(self):
        self.texts = []

    def offer(self, text):
        self.texts.append(text)

    @property
    def heard(self):
        """Subject and number of each event."""
        return [(message["subject"], message["seq"]) for message in map(json.loads, self.texts) if "seq" in message]


@pytest.fixture
def numbers(tmp_path):
    """Numbers that begin at 1."""
    made = Numbers(tmp_path / "numbers")
    made.load()
    return made


def joined(stream, since=None):
    """A client that has just come (back)."""
    ears, told = Ears(), []

    def welcome(is_complete):
        told.append(is_complete)
        return '{"subject":"connected"}'

    stream.join(ears, since, welcome)
    return ears, told[0]


def nothing_earlier(_after, _before):
    """No answers are remembered."""
    return []


def test_everybody_hears_every_event_with_rising_numbers(numbers):
    """Two clients hear the same, in order."""
    stream = Stream(numbers, nothing_earlier)
    (first, _), (second, _) = joined(stream), joined(stream)
    stream.publish(Event("a", 1), Event("b", 2))
    stream.publish(Event("c", 3))
    assert first.heard == second.heard == [("a", 1), ("b", 2), ("c", 3)]


def test_one_that_left_hears_nothing_more(numbers):
    """Leaving ends it."""
    stream = Stream(numbers, nothing_earlier)
    ears, _ = joined(stream)
    stream.leave(ears)
    stream.publish(Event("a", 1))
    assert ears.heard == []


def test_one_that_comes_back_hears_exactly_what_it_missed(numbers):
    """From the number after the last it saw, once each, and then what is new."""
    stream = Stream(numbers, nothing_earlier)
    stream.publish(*[Event("old", number) for number in range(5)])
    ears, is_complete = joined(stream, since=3)
    stream.publish(Event("new", None))
    assert is_complete
    assert ears.heard == [("old", 4), ("old", 5), ("new", 6)]


def test_one_that_missed_nothing_is_told_so(numbers):
    """The newest number is complete without anything to send."""
    stream = Stream(numbers, nothing_earlier)
    stream.publish(Event("a", 1))
    ears, is_complete = joined(stream, since=1)
    assert (ears.heard, is_complete) == ([], True)


def test_one_that_was_never_here_hears_only_what_is_new(numbers):
    """Without a number nothing is repeated."""
    stream = Stream(numbers, nothing_earlier)
    stream.publish(Event("a", 1))
    ears, is_complete = joined(stream)
    assert (ears.heard, is_complete) == ([], True)


def test_one_that_was_away_too_long_is_told_so_and_still_hears_the_answers(numbers, monkeypatch):
    """What the ring has lost is said to be lost; answers come from where they are kept for ever."""
    monkeypatch.setattr(stream_module, "_RING_EVENTS", 2)
    asked = []

    def earlier(after, before):
        asked.append((after, before))
        return [(2, Event("update_result", "kept"))]

    stream = Stream(numbers, earlier)
    stream.publish(*[Event("e", number) for number in range(6)])
    ears, is_complete = joined(stream, since=1)
    assert not is_complete
    assert ears.heard == [("update_result", 2), ("e", 5), ("e", 6)]
    assert asked == [(1, 5)]


@pytest.mark.parametrize(("since", "is_complete"), [(3, False), (4, True), (5, True)])
def test_the_oldest_event_that_is_kept_decides_whether_anything_is_lost(numbers, monkeypatch, since, is_complete):
    """Whoever saw the one just before it has missed nothing that is gone."""
    monkeypatch.setattr(stream_module, "_RING_EVENTS", 2)
    stream = Stream(numbers, nothing_earlier)
    stream.publish(*[Event("e", number) for number in range(6)])  # of 1 to 6, 5 and 6 are kept
    ears, was_complete = joined(stream, since)
    assert was_complete == is_complete
    assert ears.heard == [("e", number) for number in (5, 6) if number > since]


def test_the_ring_is_bounded_by_size_too(numbers, monkeypatch):
    """A few large events push out the older ones (I12)."""
    monkeypatch.setattr(stream_module, "_RING_CHARACTERS", 1000)
    stream = Stream(numbers, nothing_earlier)
    stream.publish(*[Event("e", "x" * 400) for _ in range(10)])
    ears, _ = joined(stream, since=0)
    assert ears.heard == [("e", 9), ("e", 10)]


def test_a_number_that_was_never_given_asks_for_everything_anew(numbers):
    """A client that knows more than we do was here before our memory was lost."""
    stream = Stream(numbers, nothing_earlier)
    stream.publish(Event("a", 1))
    ears, is_complete = joined(stream, since=99)
    assert (ears.heard, is_complete) == ([], False)


def test_an_event_with_a_turn_is_written_down_before_anybody_hears_it(numbers):
    """Its number is known beforehand, and what happens meanwhile comes after it."""
    stream = Stream(numbers, nothing_earlier)
    ears, _ = joined(stream)

    async def settle():
        async with stream.turn(Event("result", 1), Event("log", 2)) as number:
            assert number == 1
            stream.publish(Event("meanwhile", 3))
            await asyncio.sleep(0)
            assert ears.heard == []

    asyncio.run(settle())
    assert ears.heard == [("result", 1), ("log", 2), ("meanwhile", 3)]


def test_an_event_that_could_not_be_written_down_is_not_told(numbers):
    """The turn fails; what happened meanwhile is told all the same, and the number is not lost."""
    stream = Stream(numbers, nothing_earlier)
    ears, _ = joined(stream)

    async def fail():
        async with stream.turn(Event("result", 1)):
            stream.publish(Event("meanwhile", 3))
            raise OSError

    with pytest.raises(OSError):
        asyncio.run(fail())
    assert ears.heard == [("meanwhile", 1)]


def test_turns_wait_for_each_other(numbers):
    """Two results at once keep the numbers they were written down with."""
    stream = Stream(numbers, nothing_earlier)
    ears, _ = joined(stream)
    taken = {}

    async def settle(name):
        async with stream.turn(Event(name, None), Event(f"{name} log", None)) as number:
            await asyncio.sleep(0)
            taken[name] = number

    async def both():
        await asyncio.gather(settle("one"), settle("two"))

    asyncio.run(both())
    assert dict(ears.heard) | taken == dict(ears.heard)


@pytest.mark.parametrize("lives", [1, 3])
def test_numbers_grow_over_all_lives(tmp_path, lives):
    """A successor never gives a number again, however its predecessors ended."""
    given = []
    for _ in range(lives):
        numbers = Numbers(tmp_path / "numbers")
        numbers.load()
        given += [numbers.take() for _ in range(3)]
    assert given == sorted(set(given))


def test_a_full_block_is_followed_by_another(tmp_path, monkeypatch):
    """The numbers go on, and a successor begins behind them."""
    monkeypatch.setattr("remote.events.sequence._BLOCK", 2)
    numbers = Numbers(tmp_path / "numbers")
    numbers.load()
    given = [numbers.take() for _ in range(5)]
    assert given == [1, 2, 3, 4, 5]
    successor = Numbers(tmp_path / "numbers")
    successor.load()
    assert successor.take() > 5


@pytest.mark.parametrize("content", ["", "abc", "-5", "1\n2"])
def test_a_file_that_holds_no_number_is_no_obstacle(tmp_path, content):
    """Numbering starts anew; clients are told by `complete`."""
    (tmp_path / "numbers").write_text(content)
    numbers = Numbers(tmp_path / "numbers")
    numbers.load()
    assert numbers.take() == 1
