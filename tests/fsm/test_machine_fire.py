"""The state machine: journal first, memory second (I2)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fsm_story import NOON

from fsm.errors import IllegalTransitionError, JournalRefusedError, JournalUnavailableError
from fsm.machine import RequestMachine
from fsm.records import TransitionFacts
from fsm.transition_table import Event
from protocol.types import State, UnknownValue

FACTS = TransitionFacts(NOON)


class FullJournal:
    """A journal on a full disk."""

    def record_transition(self, *_):
        """Refuse the write."""
        raise JournalUnavailableError("cannot write: disk full")


def test_fire_returns_the_request_as_the_journal_holds_it(story, journal):
    """After a transition, the returned record and the journal agree in every field."""
    story.admit("a")
    moved = story.machine.fire(journal.get("a"), Event.ACCEPT, FACTS)
    assert moved.state is State.VALIDATED
    assert moved == journal.get("a")


def test_fire_commits_before_it_returns(story, journal, monkeypatch):
    """When the journal is asked to write, the caller's record still has the old state."""
    story.admit("a")
    before, seen = journal.get("a"), []
    record_transition = journal.record_transition
    monkeypatch.setattr(
        journal,
        "record_transition",
        lambda request_id, move, facts: (
            seen.append((before.state, move.source, move.dest)) or record_transition(request_id, move, facts)
        ),
    )
    story.machine.fire(before, Event.ACCEPT, FACTS)
    assert seen == [(State.RECEIVED, State.RECEIVED, State.VALIDATED)]


def test_fire_raises_what_the_journal_raises(story, journal):
    """A transition that could not be written did not happen."""
    story.admit("a")
    with pytest.raises(JournalUnavailableError):
        RequestMachine(FullJournal()).fire(journal.get("a"), Event.ACCEPT, FACTS)
    assert journal.get("a").state is State.RECEIVED


def test_fire_refuses_an_illegal_event_and_names_the_request(story, journal):
    """An event that the table does not have for the present state is refused."""
    story.admit("a")
    with pytest.raises(IllegalTransitionError, match="cannot succeed request a: it is received"):
        story.machine.fire(journal.get("a"), Event.SUCCEED, FACTS)
    assert journal.transitions("a") == []


def test_fire_refuses_a_state_of_a_newer_release(story, journal):
    """A state that this release does not know has no transitions here; the error names the remedy."""
    story.admit("a")
    with pytest.raises(IllegalTransitionError, match="does not know its state 'paused'; install the release"):
        story.machine.fire(replace(journal.get("a"), state=UnknownValue("paused")), Event.ACCEPT, FACTS)


def test_fire_with_a_stale_record_is_refused_by_the_journal(story, journal):
    """Two holders of one record cannot both make the same transition (I4)."""
    story.admit("a")
    stale = journal.get("a")
    story.machine.fire(stale, Event.ACCEPT, FACTS)
    with pytest.raises(JournalRefusedError):
        story.machine.fire(stale, Event.ACCEPT, FACTS)


def test_machine_keeps_no_request(story):
    """Memory does not grow with the number of requests (I12)."""
    for name in "abc":
        story.run(name)
    assert story.machine._machine.models == []
