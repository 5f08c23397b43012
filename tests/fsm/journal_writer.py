"""Write requests into a journal with few arguments, as the tests of the journal need them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fsm.machine import RequestMachine
from fsm.records import AttemptRecord, TransitionFacts
from fsm.transition_table import Event
from protocol.types import Action, ExitKind, Reason, State

NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)


class JournalWriter:
    """Writes requests, transitions and attempts into a journal."""

    def __init__(self, journal) -> None:
        self.journal = journal
        self.machine = RequestMachine(journal)

    def admit(self, request_id, component="remote", action=Action.UPDATE, rollback_of=None):
        """Insert a request."""
        self.journal.insert(request_id, component, action, "1.2.3", NOON, NOON, rollback_of)

    def fire(self, request_id, *events, **facts):
        """Fire events in order, each with the given facts."""
        for event in events:
            self.machine.fire(self.journal.get(request_id), event, TransitionFacts(NOON, **facts))

    def attempt(self, request_id, number=1, state=State.RUNNING, script="update.sh", ending=None, exit_code=None):
        """An attempt of a script, open unless ``ending`` is given."""
        ended = None if ending is None else NOON + timedelta(seconds=2)
        return AttemptRecord(
            request_id, number, state, script, "boot", NOON, 5.0,
            ended_at=ended, seconds=ended and 2.0, ending=ending, exit_code=exit_code,
        )  # fmt: skip

    def run(self, request_id, last=Event.SUCCEED, ending=ExitKind.EXITED, **request):
        """Record a request from its admission to its settlement, with one attempt."""
        self.admit(request_id, **request)
        begun = self.attempt(request_id)
        self.fire(request_id, Event.ACCEPT)
        self.fire(request_id, Event.START, begin=begun)
        ended = replace(begun, ending=ending, exit_code=0, ended_at=NOON, seconds=1.0, output="done")
        reason = Reason.SCRIPT_FAILED if last is Event.FAIL else None
        self.fire(request_id, last, finish=ended, reason=reason, message="script ended", settles=True)
