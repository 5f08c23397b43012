"""Tells the container: progress while a request moves, and its one final status from the journal (I1)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from loguru import logger

from executors.interface import ProgressReport
from fsm.errors import JournalUnavailableError
from fsm.journal import Journal
from fsm.records import AttemptRecord, RequestRecord
from protocol.clock import Clock
from protocol.inbox import Inbox
from protocol.messages import Attempt, FinalStatus, Progress
from protocol.names import request_file
from protocol.outbox import Outbox
from protocol.types import ExitKind, State

_BATCH = 100
_NO_SCRIPT = ProgressReport()


class Publisher:
    """Writes ``status/`` and, once an answer is there, takes the request away.

    Args:
        outbox: where answers go.
        inbox: where their requests are.
        journal: what all answers are made of.
        clock: stamps progress.
        output_bytes: how much of what scripts wrote an answer holds at most.
        asked_again: called when a request was there anew by the time that it was to be taken away.
    """

    def __init__(
        self,
        outbox: Outbox,
        inbox: Inbox,
        journal: Journal,
        clock: Clock,
        output_bytes: int,
        asked_again: Callable[[], object],
    ) -> None:
        self._outbox = outbox
        self._inbox = inbox
        self._journal = journal
        self._clock = clock
        self._output_bytes = output_bytes
        self._asked_again = asked_again
        self._seq: dict[str, int] = {}
        self._one_at_a_time = threading.Lock()
        # Two writers of one progress file would see each other's half (I5). Never held during an fsync.
        self._reporting = threading.Lock()

    def publish_queued(self, record: RequestRecord) -> None:
        """Say that ``record``, just admitted, waits for its turn.

        A lane need not wait for whoever admitted it: it may have taken it up since, and even answered it. Then there
        is newer news, or none any more, and nothing is said.
        """
        with self._reporting, suppress(JournalUnavailableError):
            found = self._journal.get(record.request_id)
            if found is not None and found.state is record.state:
                self._report(record, record.state, _NO_SCRIPT)

    def progress(self, record: RequestRecord, state: State, report: ProgressReport = _NO_SCRIPT) -> None:
        """Say where ``record`` stands. A folder that cannot be written delays nothing: progress is only news.

        Args:
            record: the request.
            state: its state, in the journal as in memory.
            report: what the script that runs now has shown.
        """
        with self._reporting:
            self._report(record, state, report)

    def _report(self, record: RequestRecord, state: State, report: ProgressReport) -> None:
        if record.component is None or record.action is None:
            return
        seq = self._seq[record.request_id] = self._next_seq(record.request_id)
        progress = Progress(
            request_id=record.request_id,
            component=record.component,
            action=record.action,
            state=state,
            phase=report.phase,
            percent=report.percent,
            seq=seq,
            timestamp=self._clock.utc(),
            output=report.output,
            error=report.error,
        )
        try:
            self._outbox.publish_progress(progress)
        except OSError as error:
            logger.warning("cannot write progress to {}: {}", self._outbox.directory, error.strerror)

    def _next_seq(self, request_id: str) -> int:
        if request_id in self._seq:
            return self._seq[request_id] + 1
        earlier = self._outbox.read_progress(request_id)
        return earlier.seq + 1 if earlier else 0

    def publish_status(self, request_id: str) -> bool:
        """Publish the answer of a settled request, then remove the request; tell whether all that worked.

        What fails here is tried again by ``publish_pending``: the journal remembers what has not been published (I1).

        Args:
            request_id: of a settled request; one that has its answer already is left alone.
        """
        with self._one_at_a_time, logger.contextualize(request_id=request_id):
            try:
                self._publish(request_id)
            except OSError as error:
                logger.error(
                    "cannot publish the answer: {}: {}; it is kept and tried again; run update-coordinator check",
                    error.filename,
                    error.strerror,
                )
            except JournalUnavailableError as error:  # on the way to the answer, or when it was out already
                logger.error("cannot publish the answer, or note that it is out: {}; trying again", error)
            else:
                return True
            return False

    def _publish(self, request_id: str) -> None:
        record = self._journal.get(request_id)
        if record is None or record.published:
            return
        answered = self._inbox.fingerprint(request_file(request_id))
        self._outbox.publish(final_status(record, self._journal.attempts(request_id), self._output_bytes))
        self._clear(request_id)  # after the answer: at no instant is there neither
        removed = self._inbox.remove_unchanged(request_file(request_id), answered)
        self._journal.mark_published(request_id)
        if not removed:  # whoever took the answer submitted the same id again: that is another one to answer (I7)
            self._asked_again()

    def _clear(self, request_id: str) -> None:
        with self._reporting:
            self._seq.pop(request_id, None)
            self._outbox.clear(request_id)

    def publish_pending(self, alive: Callable[[], object] = lambda: None) -> bool:
        """Publish what could not be published before, calling ``alive`` after each; tell whether nothing is left."""
        while pending := self._journal.unpublished(_BATCH):
            for record in pending:
                if not self.publish_status(record.request_id):
                    return False
                alive()
        return True


def final_status(record: RequestRecord, attempts: list[AttemptRecord], output_bytes: int) -> FinalStatus:
    """The final status a settled request has, from the journal alone: the same whenever it is asked for (I7)."""
    ran = [attempt for attempt in attempts if attempt.ending is not ExitKind.NOT_STARTED]
    settled_at = record.settled_at or record.received_at
    return FinalStatus(
        request_id=record.request_id,
        component=record.component,
        action=record.action,
        version=record.version,
        success=record.state is State.SUCCEEDED,
        state=record.state,
        reason=record.reason,
        message=record.message,
        output=_bounded("".join(attempt.output for attempt in ran), output_bytes),
        error=_bounded("".join(attempt.error for attempt in ran), output_bytes),
        exit_code=_deciding_exit_code(ran),
        timestamp=settled_at,
        started_at=ran[0].started_at if ran else None,
        finished_at=settled_at,
        attempts=tuple(
            Attempt(script=attempt.script, exit_code=attempt.exit_code, seconds=attempt.seconds) for attempt in ran
        ),
    )


def _deciding_exit_code(ran: list[AttemptRecord]) -> int | None:
    """Of the script that went wrong first; of the last one when none did."""
    wrong = [a for a in ran if a.state is State.RUNNING and (a.ending is not ExitKind.EXITED or a.exit_code != 0)]
    return (wrong or ran[-1:])[0].exit_code if ran else None


def _bounded(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"
