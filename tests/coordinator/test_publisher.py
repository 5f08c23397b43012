"""What progress holds; publishing while the journal cannot be written, and while clients are quick."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from coordinator.publisher import Publisher
from executors.interface import ProgressReport
from fsm.errors import JournalUnavailableError
from fsm.journal import Journal
from fsm.machine import RequestMachine
from fsm.transition_table import Event
from protocol.clock import SystemClock
from protocol.inbox import Inbox
from protocol.outbox import Outbox
from protocol.types import Action, Reason, State

NOW = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)


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


@pytest.fixture
def folders(tmp_path):
    """``requests/`` and ``status/``."""
    made = tmp_path / "requests", tmp_path / "status"
    for folder in made:
        folder.mkdir()
    return made


def _refuse(journal, record):
    with RequestMachine(journal).of(record) as life:
        life.fire(Event.REFUSE, at=NOW, reason=Reason.INVALID_REQUEST, message="cannot", settles=True)


def test_progress_shows_what_the_running_script_does(tmp_path, folders):
    """All of its report; and nothing of it any more once it is over, not even what it wrote."""
    requests, status = folders
    with Journal.open(tmp_path / "journal.db") as journal:
        record = journal.insert("one", "core", Action.UPDATE, None, None, NOW)
        publisher = Publisher(Outbox(status), Inbox(requests, 1024), journal, SystemClock(), 1024, print)
        shown = []
        for reports in ([ProgressReport("pull", 7, "layer\n", "slow\n")], []):
            publisher.progress(record, State.RUNNING, *reports)
            found = Outbox(status).read_progress("one")
            shown.append((found.seq, found.phase, found.percent, found.output, found.error))
    assert shown == [(0, "pull", 7, "layer\n", "slow\n"), (1, None, None, "", "")]


def test_an_answer_that_cannot_be_read_from_the_journal_is_tried_again(tmp_path, folders):
    """The caller learns that it is not out, and so has it tried again soon."""
    requests, status = folders
    with UnreadableJournal.open(tmp_path / "journal.db") as journal:
        _refuse(journal, journal.insert("one", "core", Action.UPDATE, None, None, NOW))
        publisher = Publisher(Outbox(status), Inbox(requests, 1024), journal, SystemClock(), 1024, print)
        journal.sick = True
        assert publisher.publish_status("one") is False
        journal.sick = False
        assert publisher.publish_pending() is True
        assert (status / "one.json").exists()


def test_an_answer_that_cannot_be_noted_as_published_stops_nobody(tmp_path, folders):
    """It is out all the same, the caller goes on with the next request, and it is noted as soon as there is room."""
    requests, status = folders
    with FullJournal.open(tmp_path / "journal.db") as journal:
        _refuse(journal, journal.insert("one", "core", Action.UPDATE, None, None, NOW))
        (requests / "one.json").touch()
        publisher = Publisher(Outbox(status), Inbox(requests, 1024), journal, SystemClock(), 1024, print)
        assert publisher.publish_status("one") is False
        assert publisher.publish_pending() is False
        assert not (requests / "one.json").exists()
        answer = (status / "one.json").stat()
        journal.full = False
        assert publisher.publish_pending() is True
        assert journal.get("one").published
        assert (status / "one.json").stat().st_ino == answer.st_ino


def test_a_long_retry_gives_signs_of_life(tmp_path, folders):
    """One after each answer: a backlog on a slow disk takes longer than a watchdog waits."""
    requests, status = folders
    with Journal.open(tmp_path / "journal.db") as journal:
        for number in range(250):
            _refuse(journal, journal.insert(f"r{number}", "core", Action.UPDATE, None, None, NOW))
        publisher = Publisher(Outbox(status), Inbox(requests, 1024), journal, SystemClock(), 1024, print)
        signs = []
        assert publisher.publish_pending(lambda: signs.append(1)) is True
        assert len(signs) == 250


@pytest.mark.parametrize("is_settled", [False, True])
def test_nobody_is_welcomed_late(tmp_path, folders, is_settled):
    """What a lane has taken up, or answered, before its admission could be told of, is not said to wait (I1)."""
    requests, status = folders
    with Journal.open(tmp_path / "journal.db") as journal:
        publisher = Publisher(Outbox(status), Inbox(requests, 1024), journal, SystemClock(), 1024, print)
        admitted = journal.insert("one", "core", Action.HEALTH, None, None, NOW)
        publisher.publish_queued(admitted)
        assert publisher._outbox.read_progress("one").seq == 0
        with RequestMachine(journal).of(admitted) as life:
            life.fire(Event.ACCEPT, at=NOW)
        if is_settled:
            _refuse(journal, journal.get("one"))
            publisher.publish_status("one")
        publisher.publish_queued(admitted)
        progress = publisher._outbox.read_progress("one")
        assert progress is None if is_settled else progress.seq == 0


class QuickClient(Outbox):
    """Has a client that takes each answer and submits the same id again, before its first request is gone."""

    def publish(self, status):
        super().publish(status)
        name = f"{status.request_id}.json"
        (self.directory / name).unlink()
        fresh = self.directory.parent / "requests" / ".fresh"
        fresh.write_text("{}")
        fresh.rename(fresh.with_name(name))


@pytest.mark.parametrize("had_request", [True, False])
def test_a_request_that_comes_while_its_answer_goes_out_is_not_taken_away_with_the_first(
    tmp_path, folders, had_request
):
    """It is another submission of the same id, to be answered, too (I7); and somebody is told to look at it."""
    requests, status = folders
    rung = []
    with Journal.open(tmp_path / "journal.db") as journal:
        _refuse(journal, journal.insert("one", "core", Action.UPDATE, None, None, NOW))
        if had_request:
            (requests / "one.json").touch()
        publisher = Publisher(
            QuickClient(status), Inbox(requests, 1024), journal, SystemClock(), 1024, lambda: rung.append("again")
        )
        assert publisher.publish_status("one") is True
        assert (requests / "one.json").exists()
        assert not journal.active_ids(["one"])  # or nobody would look at it
        assert rung == ["again"]
