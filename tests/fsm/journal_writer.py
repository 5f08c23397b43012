"""The shortest way to put requests into a journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fsm.machine import RequestMachine
from fsm.records import AttemptRecord, TransitionFacts
from fsm.transition_table import Event
from protocol.types import Action, ExitKind, Reason, State

NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)


class Story:
    """Tells a journal what happened, one word per happening."""

    def __init__(self, journal) -> None:
        self.journal = journal
        self.machine = RequestMachine(journal)

    def admit(self, request_id, component="remote", action=Action.UPDATE, rollback_of=None):
        """Put a request into the journal."""
        self.journal.insert(request_id, component, action, "1.2.3", NOON, NOON, rollback_of)

    def fire(self, request_id, *events, **facts):
        """Fire events one after the other, the facts with each."""
        for event in events:
            self.machine.fire(self.journal.get(request_id), event, TransitionFacts(NOON, **facts))

    def attempt(self, request_id, number=1, state=State.RUNNING, script="update.sh", ending=None, exit_code=None):
        """One script run."""
        ended = None if ending is None else NOON + timedelta(seconds=2)
        return AttemptRecord(
            request_id, number, state, script, "boot", NOON, 5.0,
            ended_at=ended, seconds=ended and 2.0, ending=ending, exit_code=exit_code,
        )  # fmt: skip

    def run(self, request_id, last=Event.SUCCEED, ending=ExitKind.EXITED, **request):
        """Take a request from nothing to settled, with one script run."""
        self.admit(request_id, **request)
        begun = self.attempt(request_id)
        self.fire(request_id, Event.ACCEPT)
        self.fire(request_id, Event.START, begin=begun)
        over = replace(begun, ending=ending, exit_code=0, ended_at=NOON, seconds=1.0, output="done")
        reason = Reason.SCRIPT_FAILED if last is Event.FAIL else None
        self.fire(request_id, last, finish=over, reason=reason, message="so it ended", settles=True)
