"""Publishes progress while a request is under way, and its one final status from the journal (I1)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from loguru import logger

from coordinator.final_status import compose_status
from coordinator.observers import RequestObserver
from executors.interface import ProgressReport
from fsm.errors import JournalDamagedError, JournalUnavailableError
from fsm.journal import Journal
from fsm.records import RequestRecord
from protocol.clock import Clock
from protocol.inbox import Inbox
from protocol.messages import FinalStatus, Progress
from protocol.names import request_file
from protocol.outbox import Outbox
from protocol.types import State

MAX_FAILURES = 5  # unexpected errors with one answer, after which its request is skipped until the next start
_BATCH = 100
_FAILURES_PER_PASS = 100  # on a full disk every answer fails; the next pass continues after these
_NO_REPORT = ProgressReport()


class Publisher(RequestObserver):
    """Writes ``status/`` and, once an answer is published, removes the request.

    Args:
        outbox: where answers go.
        inbox: where their requests are.
        journal: the source of all answers.
        clock: stamps progress.
        output_bytes: how much of each stream of the scripts an answer quotes at most.
        answered: called with each request that was answered.
        request_pass: has the main loop make another pass.
    """

    def __init__(
        self,
        outbox: Outbox,
        inbox: Inbox,
        journal: Journal,
        clock: Clock,
        output_bytes: int,
        *,
        answered: Callable[[RequestRecord], object],
        request_pass: Callable[[], object],
    ) -> None:
        self._outbox = outbox
        self._inbox = inbox
        self._journal = journal
        self._clock = clock
        self._output_bytes = output_bytes
        self._answered = answered
        self._request_pass = request_pass
        self._seq: dict[str, int] = {}
        self._failures: Counter[str] = Counter()
        self._resume_after = 0  # the last row of the pass; 0: a pass begins
        self._publishing = threading.Lock()
        # Two concurrent writers would corrupt a progress file (I5). Never held during an fsync.
        self._reporting = threading.Lock()

    # -- progress ----------------------------------------------------------------------------------------------

    def accepted(self, record: RequestRecord) -> None:
        """Publish that ``record`` waits for its turn.

        Its lane may have taken it up since, and even answered it: then this progress is outdated and not published.
        """
        with self._reporting, suppress(JournalUnavailableError):
            found = self._journal.get(record.request_id)
            if found is not None and found.state is record.state:
                self._publish_progress(record, _NO_REPORT)

    def started(self, record: RequestRecord, script: str) -> None:
        """Publish the script as the phase."""
        self.progressed(record, ProgressReport(phase=script.removesuffix(".sh")))

    def moved(self, record: RequestRecord) -> None:
        """Publish the new state."""
        self.progressed(record, _NO_REPORT)

    def progressed(self, record: RequestRecord, report: ProgressReport) -> None:
        """Publish the state of ``record``. A folder that cannot be written delays nothing: progress is optional."""
        with self._reporting:
            self._publish_progress(record, report)

    def _publish_progress(self, record: RequestRecord, report: ProgressReport) -> None:
        if record.component is None or record.action is None or not isinstance(record.state, State):
            return
        seq = self._seq[record.request_id] = self._next_seq(record.request_id)
        progress = Progress(
            request_id=record.request_id,
            component=record.component,
            action=record.action,
            state=record.state,
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

    # -- answers -----------------------------------------------------------------------------------------------

    def settled(self, record: RequestRecord) -> None:
        """Publish the final status; the main loop retries what fails."""
        if not self.publish_status(record.request_id):
            self._request_pass()

    def publish_status(self, request_id: str) -> bool:
        """Publish the answer of a settled request, then remove the request; return whether all that succeeded.

        The journal records what has not been published (I1): ``publish_pending`` retries it.

        Args:
            request_id: of a settled request; one that has its answer already is left alone.
        """
        with self._publishing, logger.contextualize(request_id=request_id):
            try:
                self._publish(request_id)
            except OSError as error:
                logger.error(
                    "cannot publish the answer: {}: {}; it is kept and tried again; run update-coordinator check",
                    error.filename,
                    error.strerror,
                )
            except JournalUnavailableError as error:  # before the answer was written, or after it
                logger.error("cannot publish the answer, or record that it is published: {}; trying again", error)
            except JournalDamagedError:
                raise
            except Exception as error:  # noqa: BLE001  one answer must not prevent the others (I16)
                self._failures[request_id] += 1
                logger.opt(exception=error).error(
                    "cannot publish the answer: unexpected error {} of {}", self._failures[request_id], MAX_FAILURES
                )
            else:
                self._failures.pop(request_id, None)
                return True
            return False

    def _publish(self, request_id: str) -> None:
        record = self._journal.get(request_id)
        if record is None or record.published or record.settled_at is None:
            return
        answered = self._inbox.fingerprint(request_file(request_id))
        self._outbox.publish(self._compose(record))
        self._clear_progress(request_id)  # after the answer, so that there is always one of the two
        removed = self._inbox.remove_unchanged(request_file(request_id), answered)
        self._journal.mark_published(request_id)
        self._answered(record)
        if not removed:  # the client read the answer and submitted the same id again: that is to be answered, too (I7)
            self._request_pass()

    def _compose(self, record: RequestRecord) -> FinalStatus:
        status, error = compose_status(record, self._journal.attempts(record.request_id), self._output_bytes)
        if error is not None:
            logger.opt(exception=error).error("cannot compose the whole answer; publishing a reduced one")
        return status

    def _clear_progress(self, request_id: str) -> None:
        with self._reporting:
            self._seq.pop(request_id, None)
            self._outbox.clear(request_id)

    def publish_pending(self, alive: Callable[[], object] = lambda: None) -> bool:
        """Publish what could not be published before, calling ``alive`` after each; return whether nothing is left.

        One answer that fails does not prevent the others; a pass ends after ``_FAILURES_PER_PASS`` failures, and the
        next pass continues after them (I16).
        """
        is_complete, failed = not self._resume_after, 0
        while pending := self._journal.unpublished(_BATCH, after=self._resume_after):
            for record in pending:
                self._resume_after = record.row
                if self._failures[record.request_id] < MAX_FAILURES and not self.publish_status(record.request_id):
                    is_complete = False
                    failed += 1
                alive()
                if failed >= _FAILURES_PER_PASS:
                    return False
        self._resume_after = 0
        return is_complete
