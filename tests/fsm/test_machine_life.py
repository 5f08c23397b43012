"""Journal first, memory second (I2)."""

from __future__ import annotations

import pytest
from fsm_story import NOON

from fsm.errors import IllegalTransitionError, JournalRefusedError, JournalUnavailableError
from fsm.machine import RequestMachine
from fsm.transition_table import Event
from protocol.types import State


class FullJournal:
    """A journal on a full disk."""

    def record_transition(self, *_, **__):
        """Refuse."""
        raise JournalUnavailableError("cannot write: disk full")


def test_a_move_is_in_the_journal_when_memory_has_it(story, journal):
    """After a move, memory and journal tell the same state."""
    story.admit("a")
    with story.lives.of(journal.get("a")) as life:
        life.fire(Event.ACCEPT, at=NOON)
        assert life.state is State.VALIDATED is journal.get("a").state


class ProgressReporter:
    """A journal that remembers where memory stood when it was asked to write."""

    def __init__(self) -> None:
        self.life = None
        self.seen = []

    def record_transition(self, _request_id, _event, source, dest, **_):
        """Look."""
        self.seen.append((self.life.state, source, dest))


def test_memory_stands_still_while_the_journal_writes(story, journal):
    """What others could ask of memory meanwhile is what the journal holds, not what it is about to hold."""
    story.admit("a")
    onlooker = ProgressReporter()
    with RequestMachine(onlooker).of(journal.get("a")) as life:
        onlooker.life = life
        life.fire(Event.ACCEPT, at=NOON)
    assert onlooker.seen == [(State.RECEIVED, State.RECEIVED, State.VALIDATED)]
    assert life.state is State.VALIDATED


def test_a_journal_that_raises_leaves_memory_unmoved(story, journal):
    """What could not be written did not happen."""
    story.admit("a")
    with RequestMachine(FullJournal()).of(journal.get("a")) as life:
        with pytest.raises(JournalUnavailableError):
            life.fire(Event.ACCEPT, at=NOON)
        assert life.state is State.RECEIVED


def test_an_illegal_event_moves_nothing_and_names_the_request(story, journal):
    """An event the table does not know from here is refused."""
    story.admit("a")
    with story.lives.of(journal.get("a")) as life:
        with pytest.raises(IllegalTransitionError, match="cannot succeed request a: it is received"):
            life.fire(Event.SUCCEED, at=NOON)
        assert life.state is State.RECEIVED
    assert journal.transitions("a") == []


def test_a_life_grown_stale_is_refused_by_the_journal(story, journal):
    """Two lives of one request cannot both make the same move (I4)."""
    story.admit("a")
    with story.lives.of(journal.get("a")) as one, story.lives.of(journal.get("a")) as other:
        one.fire(Event.ACCEPT, at=NOON)
        with pytest.raises(JournalRefusedError):
            other.fire(Event.ACCEPT, at=NOON)
        assert other.state is State.RECEIVED


def test_the_machine_keeps_no_request(story, journal):
    """Memory does not grow with requests (I12)."""
    for name in "abc":
        story.run(name)
    assert story.lives._machine.models == []
