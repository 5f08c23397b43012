"""Publishing while the journal cannot be written."""

from __future__ import annotations

from datetime import UTC, datetime

from coordinator.publisher import Publisher
from fsm.errors import JournalUnavailableError
from fsm.journal import Journal
from fsm.machine import Lives
from fsm.table import Event
from protocol.clock import SystemClock
from protocol.inbox import Inbox
from protocol.messages import Action, Reason
from protocol.outbox import Outbox


class FullJournal(Journal):
    """Has no room, as long as ``full``."""

    full = True

    def mark_published(self, request_id):
        if self.full:
            raise JournalUnavailableError("cannot reach the journal: it is full")
        super().mark_published(request_id)


class UnreadableJournal(Journal):
    """Meets a sick disk, as long as ``sick``."""

    sick = False

    def get(self, request_id):
        if self.sick:
            raise JournalUnavailableError("cannot reach the journal: disk I/O error")
        return super().get(request_id)


def test_an_answer_that_cannot_be_read_from_the_journal_is_tried_again(tmp_path):
    """The caller learns that it is not out, and so has it tried again soon."""
    status = tmp_path / "status"
    status.mkdir()
    with UnreadableJournal.open(tmp_path / "journal.db") as journal:
        now = datetime.now(UTC)
        journal.insert("one", "core", Action.UPDATE, None, None, now)
        with Lives(journal).of(journal.get("one")) as life:
            life.fire(Event.REFUSE, at=now, reason=Reason.INVALID_REQUEST, message="cannot", settles=True)
        publisher = Publisher(Outbox(status), Inbox(tmp_path, 1024), journal, SystemClock(), 1024)
        journal.sick = True
        assert publisher.final("one") is False
        journal.sick = False
        assert publisher.retry() is True
        assert (status / "one.json").exists()


def test_an_answer_that_cannot_be_noted_as_published_stops_nobody(tmp_path):
    """It is out all the same, the caller goes on with the next request, and it is noted as soon as there is room."""
    requests, status = tmp_path / "requests", tmp_path / "status"
    requests.mkdir()
    status.mkdir()
    with FullJournal.open(tmp_path / "journal.db") as journal:
        now = datetime.now(UTC)
        journal.insert("one", "core", Action.UPDATE, None, None, now)
        with Lives(journal).of(journal.get("one")) as life:
            life.fire(Event.REFUSE, at=now, reason=Reason.INVALID_REQUEST, message="cannot", settles=True)
        (requests / "one.json").touch()
        publisher = Publisher(Outbox(status), Inbox(requests, 1024), journal, SystemClock(), 1024)
        assert publisher.final("one") is False
        assert publisher.retry() is False
        assert not (requests / "one.json").exists()
        answer = (status / "one.json").stat()
        journal.full = False
        assert publisher.retry() is True
        assert journal.get("one").published
        assert (status / "one.json").stat().st_ino == answer.st_ino
