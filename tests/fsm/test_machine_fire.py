"""The request machine: journal first, memory second (I2)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from journal_writer import NOON, JournalWriter

from fsm.errors import IllegalTransitionError, JournalRefusedError, JournalUnavailableError
from fsm.records import TransitionFacts
from fsm.transition_table import Event
from protocol.types import State, UnknownValue
from tests.support.full_journal import FullJournal

FACTS = TransitionFacts(NOON)


def test_fire_returns_the_request_as_the_journal_holds_it(writer, journal):
    """After a transition the returned record equals the journal's in every field."""
    writer.admit("a")
    after = writer.machine.fire(journal.get("a"), Event.ACCEPT, FACTS)
    assert after.state is State.VALIDATED
    assert after == journal.get("a")


def test_fire_commits_before_it_returns(writer, journal, monkeypatch):
    """At the time of the commit the caller's record still has the old state."""
    writer.admit("a")
    before, seen = journal.get("a"), []
    record_transition = journal.record_transition
    monkeypatch.setattr(
        journal,
        "record_transition",
        lambda request_id, transition, facts: (
            seen.append((before.state, transition.source, transition.dest))
            or record_transition(request_id, transition, facts)
        ),
    )
    writer.machine.fire(before, Event.ACCEPT, FACTS)
    assert seen == [(State.RECEIVED, State.RECEIVED, State.VALIDATED)]


def test_fire_raises_the_journal_error_and_keeps_the_state(tmp_path):
    """A transition that could not be written did not happen."""
    with FullJournal.open(tmp_path / "full.sqlite") as journal:
        writer = JournalWriter(journal)
        writer.admit("a")
        journal.full = True
        with pytest.raises(JournalUnavailableError):
            writer.machine.fire(journal.get("a"), Event.ACCEPT, FACTS)
        assert journal.get("a").state is State.RECEIVED


def test_fire_rejects_an_illegal_event_and_names_the_request(writer, journal):
    """An event that the table does not have for the present state is rejected."""
    writer.admit("a")
    with pytest.raises(IllegalTransitionError, match="cannot succeed request a: it is received"):
        writer.machine.fire(journal.get("a"), Event.SUCCEED, FACTS)
    assert journal.transitions("a") == []


def test_fire_rejects_a_state_of_a_newer_release(writer, journal):
    """An unknown state has no transitions; the error names the remedy."""
    writer.admit("a")
    with pytest.raises(IllegalTransitionError, match="does not know its state 'paused'; install the release"):
        writer.machine.fire(replace(journal.get("a"), state=UnknownValue("paused")), Event.ACCEPT, FACTS)


def test_fire_rejects_a_stale_record(writer, journal):
    """The journal rejects the second of two identical transitions from copies of one record (I4)."""
    writer.admit("a")
    stale = journal.get("a")
    writer.machine.fire(stale, Event.ACCEPT, FACTS)
    with pytest.raises(JournalRefusedError):
        writer.machine.fire(stale, Event.ACCEPT, FACTS)


def test_machine_keeps_no_request(writer):
    """Memory does not grow with the number of requests (I12)."""
    for name in "abc":
        writer.run(name)
    assert writer.machine._machine.models == []
