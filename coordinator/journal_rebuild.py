"""Rebuilds a lost or damaged journal from ``requests/`` and ``status/`` alone (I13).

A request that has an answer is settled. A request without one may have run: updates and rollbacks are admitted as
interrupted, never as new; health checks simply run. A file that cannot be taken over is logged and skipped (I16).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loguru import logger

from coordinator.policy_gate import PolicyGate
from fsm import script_plan
from fsm.errors import JournalDamagedError, JournalUnavailableError
from fsm.machine import RequestMachine
from fsm.records import AttemptRecord, TransitionFacts
from fsm.recovery import LOST_BOOT
from fsm.transition_table import Event
from policy.engine import Reject
from protocol.clock import Clock
from protocol.decode import decode_request
from protocol.inbox import Entry, Inbox
from protocol.names import is_request_id, printable, request_file, stem_of
from protocol.outbox import Outbox
from protocol.types import Action, ProtocolError, State

_BATCH = 1000
_TAKEN_OVER = "taken over from its status file after the journal was lost"
# How a status's state was reached, as far as it can be known; None: no status has this state.
EVENTS_TO: dict[State, tuple[Event, ...] | None] = {
    State.RECEIVED: None,
    State.VALIDATED: None,
    State.RUNNING: None,
    State.SUCCEEDED: (Event.ACCEPT, Event.START, Event.SUCCEED),
    State.FAILED: (Event.ACCEPT, Event.START, Event.FAIL),
    State.ROLLED_BACK: (Event.ACCEPT, Event.START, Event.FAIL, Event.ROLL_BACK),
}


class JournalRebuild:
    """Fills an empty journal.

    Args:
        machine: on the empty journal.
        inbox: requests without an answer.
        outbox: answers.
        gate: evaluates the form rules; the permission rules are not evaluated.
        clock: stamps.
        runs: the run directories, which show how often a script was started.
    """

    def __init__(
        self,
        machine: RequestMachine,
        inbox: Inbox,
        outbox: Outbox,
        gate: PolicyGate,
        clock: Clock,
        runs: Path,
    ) -> None:
        self._journal = machine.journal
        self._machine = machine
        self._inbox = inbox
        self._outbox = outbox
        self._gate = gate
        self._clock = clock
        self._runs = runs

    def run(self) -> None:
        """Take over every answer, then every request that may have run.

        Raises:
            OSError: a directory cannot be read; start again once it can.
            JournalError: the journal cannot be written.
        """
        settled = sum(self._guarded(entry.name, self._take_over) for entry in self._outbox.finals())
        interrupted = 0
        after: Entry | None = None
        while window := self._inbox.oldest(_BATCH, after=after, known=self._journal.existing_ids):
            with self._journal.transaction():
                interrupted += sum(self._guarded(entry.name, self._interrupt) for entry in window)
            after = window[-1]
        logger.critical(
            "the journal was lost: a new one holds {} answered requests; {} unanswered ones count as interrupted",
            settled,
            interrupted,
        )

    def _guarded(self, name: str, take: Callable[[str], bool]) -> bool:
        """Take one file over; return whether the journal has its request now."""
        try:
            with self._journal.transaction():
                return take(stem_of(name) or "")
        except (JournalDamagedError, JournalUnavailableError):
            raise
        except Exception as error:  # noqa: BLE001  one file must not keep the journal from being rebuilt
            logger.opt(exception=error).error("cannot take {} over", printable(name))
            return False

    def _take_over(self, request_id: str) -> bool:
        """Admit an answered request, if its status is one that a coordinator writes."""
        status = self._outbox.read(request_id)
        events = EVENTS_TO[status.state] if status is not None and isinstance(status.state, State) else None
        if status is None or status.request_id != request_id or events is None:
            return False
        received_at = status.started_at or status.timestamp
        record = self._journal.insert(request_id, status.component, status.action, status.version, None, received_at)
        for event in events:
            is_last = event is events[-1]
            facts = TransitionFacts(
                at=status.timestamp,
                reason=status.reason if is_last or event is Event.FAIL else None,
                message=status.message if is_last else _TAKEN_OVER,
                settles=is_last,
            )
            record = self._machine.fire(record, event, facts)
        self._journal.mark_published(request_id)
        return True

    def _interrupt(self, request_id: str) -> bool:
        """Admit a request that may have run; everything else is left to the next intake, health checks included."""
        if not is_request_id(request_id):
            return False
        try:
            request = decode_request(self._inbox.read(request_file(request_id)), request_id)
        except (ProtocolError, OSError):
            return False
        if request.action is Action.HEALTH or isinstance(self._gate.at_rebuild(request), Reject):
            return False
        now = self._clock.utc()
        record = self._journal.insert(
            request.request_id, request.component, request.action, request.version, request.timestamp, now
        )
        attempt = AttemptRecord(
            request_id=request.request_id,
            number=_latest_run(self._runs / request.request_id),
            state=State.RUNNING,
            script=script_plan.MAIN_SCRIPT[request.action],
            boot_id=LOST_BOOT,
            started_at=now,
            started_monotonic=self._clock.monotonic(),
        )
        record = self._machine.fire(record, Event.ACCEPT, TransitionFacts(now, message="found without a journal"))
        message = "may have started before the journal was lost"
        self._machine.fire(record, Event.START, TransitionFacts(now, message=message, begin=attempt))
        return True


def _latest_run(directory: Path) -> int:
    """The number of the last run that has a directory, so that the attempt refers to it; 1 if there is none."""
    try:
        return max((int(run.name) for run in directory.iterdir() if run.name.isdigit()), default=1)
    except OSError:
        return 1
