"""I4: exactly the table's moves happen, in memory and in the journal, whatever is fired in whatever order."""

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
ANSWERS = {State.SUCCEEDED, State.FAILED, State.ROLLED_BACK}


class OneLife(RuleBasedStateMachine):
    """Fires everything at one request; ``self.state`` and ``self.told`` are what a reader of the table expects."""

    @initialize()
    def admit(self):
        self.folder = tempfile.TemporaryDirectory()
        self.journal = Journal.open(Path(self.folder.name) / "journal")
        self.journal.insert("a", "remote", Action.UPDATE, "1", NOW, NOW)
        self.state, self.settled, self.told = State.RECEIVED, False, []

    @rule(event=st.sampled_from(Event), settles=st.booleans())
    def fire(self, event, settles):
        """The machine's way."""
        move = next((move for move in TRANSITIONS if (move.event, move.source) == (event, self.state)), None)
        machine, facts = RequestMachine(self.journal), TransitionFacts(NOW, settles=settles)
        if move is None or self.settled or (settles and move.dest not in ANSWERS):
            with pytest.raises(IllegalTransitionError if move is None else JournalRefusedError):
                machine.fire(self.journal.get("a"), event, facts)
        else:
            assert machine.fire(self.journal.get("a"), event, facts).state is move.dest
            self.state, self.settled = move.dest, settles
            self.told.append((event, move.source, move.dest))

    @rule(event=st.sampled_from(Event), source=st.sampled_from(State), dest=st.sampled_from(State))
    def write(self, event, source, dest):
        """Round the machine, straight into the journal: SQL alone must refuse."""
        legal = any((move.event, move.source, move.dest) == (event, source, dest) for move in TRANSITIONS)
        written = Transition(event, source, dest)
        if legal and source is self.state and not self.settled:
            self.journal.record_transition("a", written, TransitionFacts(NOW))
            self.state = dest
            self.told.append((event, source, dest))
        else:
            with pytest.raises(JournalRefusedError):
                self.journal.record_transition("a", written, TransitionFacts(NOW))

    @rule(state=st.sampled_from(State))
    def overwrite(self, state):
        """A bare update changes no state."""
        if state is not self.state or self.settled:
            with pytest.raises(JournalRefusedError):
                self.journal.database.write("UPDATE requests SET state = ? WHERE id = 'a'", (state,))

    @rule()
    def restart(self):
        """Close and open again."""
        self.journal.close()
        self.journal = Journal.open(self.journal.path)

    @invariant()
    def journal_tells_exactly_what_happened(self):
        record = self.journal.get("a")
        assert (record.state, record.settled_at is not None) == (self.state, self.settled)
        assert [(move.event, move.source, move.dest) for move in self.journal.transitions("a")] == self.told

    def teardown(self):
        if hasattr(self, "journal"):
            self.journal.close()
            self.folder.cleanup()


TestOneLife = OneLife.TestCase
TestOneLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
