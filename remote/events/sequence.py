"""Sequence numbers of events: they increase across all restarts."""

from __future__ import annotations

from remote.store import StateStore

_BLOCK = 1_000_000  # numbers reserved by one write, and by each start


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
