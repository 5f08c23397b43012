"""I4: only the transitions in the table happen, in memory and in the journal, for any events in any order."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fsm.errors import IllegalTransitionError, JournalRefusedError
from fsm.journal import Journal
from fsm.machine import RequestMachine
from fsm.records import TransitionFacts
from fsm.transition_table import TRANSITIONS, Event, Transition
from protocol.types import Action, State

NOW = datetime(2026, 1, 16, tzinfo=UTC)
SETTLED_STATES = {State.SUCCEEDED, State.FAILED, State.ROLLED_BACK}


class RequestLifecycle(RuleBasedStateMachine):
    """Fires every event at one request; ``self.state`` and ``self.recorded`` are what the table predicts."""

    @initialize()
    def admit(self):
        self.folder = tempfile.TemporaryDirectory()
        self.journal = Journal.open(Path(self.folder.name) / "journal")
        self.journal.insert("a", "remote", Action.UPDATE, "1", NOW, NOW)
        self.state, self.settled, self.recorded = State.RECEIVED, False, []

    @rule(event=st.sampled_from(Event), settles=st.booleans())
    def fire(self, event, settles):
        """Fire the event through the request machine."""
        transition = next(
            (transition for transition in TRANSITIONS if (transition.event, transition.source) == (event, self.state)),
            None,
        )
        machine, facts = RequestMachine(self.journal), TransitionFacts(NOW, settles=settles)
        if transition is None or self.settled or (settles and transition.dest not in SETTLED_STATES):
            with pytest.raises(IllegalTransitionError if transition is None else JournalRefusedError):
                machine.fire(self.journal.get("a"), event, facts)
        else:
            assert machine.fire(self.journal.get("a"), event, facts).state is transition.dest
            self.state, self.settled = transition.dest, settles
            self.recorded.append((event, transition.source, transition.dest))

    @rule(event=st.sampled_from(Event), source=st.sampled_from(State), dest=st.sampled_from(State))
    def write(self, event, source, dest):
        """Write directly into the journal: SQL itself must reject an illegal transition."""
        legal = any(
            (transition.event, transition.source, transition.dest) == (event, source, dest)
            for transition in TRANSITIONS
        )
        written = Transition(event, source, dest)
        if legal and source is self.state and not self.settled:
            self.journal.record_transition("a", written, TransitionFacts(NOW))
            self.state = dest
            self.recorded.append((event, source, dest))
        else:
            with pytest.raises(JournalRefusedError):
                self.journal.record_transition("a", written, TransitionFacts(NOW))

    @rule(state=st.sampled_from(State))
    def overwrite(self, state):
        """A plain UPDATE cannot change the state."""
        if state is not self.state or self.settled:
            with pytest.raises(JournalRefusedError):
                self.journal.database.write("UPDATE requests SET state = ? WHERE id = 'a'", (state,))

    @rule()
    def restart(self):
        """Close and reopen the journal."""
        self.journal.close()
        self.journal = Journal.open(self.journal.path)

    @invariant()
    def journal_matches_the_model(self):
        record = self.journal.get("a")
        assert (record.state, record.settled_at is not None) == (self.state, self.settled)
        assert [
            (transition.event, transition.source, transition.dest) for transition in self.journal.transitions("a")
        ] == self.recorded

    def teardown(self):
        if hasattr(self, "journal"):
            self.journal.close()
            self.folder.cleanup()


TestRequestLifecycle = RequestLifecycle.TestCase
TestRequestLifecycle.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
