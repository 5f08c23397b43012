"""Sequence numbers of events."""

from __future__ import annotations

import pytest

from remote.events.sequence import SequenceAllocator
from remote.store import StateStore


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
