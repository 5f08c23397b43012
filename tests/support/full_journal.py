"""A journal on a full disk."""

from __future__ import annotations

from contextlib import AbstractContextManager

from fsm.errors import JournalUnavailableError
from fsm.journal import Journal


class FullJournal(Journal):
    """Raises JournalUnavailableError on each write while ``full``; reads succeed."""

    full = False

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        if self.full:
            raise JournalUnavailableError("cannot reach the journal: it is full")
        return super().transaction(durable=durable)
