"""The publisher: the content of progress, and answers despite failures of journal and disk or a quick client."""

from __future__ import annotations

import errno
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from coordinator.publisher import MAX_FAILURES, Publisher
from executors.interface import ProgressReport
from fsm.errors import JournalUnavailableError
from fsm.journal import Journal
from fsm.machine import RequestMachine
from fsm.records import TransitionFacts
from fsm.transition_table import Event
from protocol.clock import SystemClock
from protocol.inbox import Inbox
from protocol.outbox import Outbox
from protocol.types import Action, Reason, State
from tests.support.full_journal import FullJournal

NOW = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)


class UnreadableJournal(Journal):
    """Cannot be read while ``failing``."""

    failing = False

    def get(self, request_id):
        if self.failing:
            raise JournalUnavailableError("cannot reach the journal: disk I/O error")
        return super().get(request_id)


@pytest.fixture
def folders(tmp_path):
    """``requests/`` and ``status/``."""
    made = tmp_path / "requests", tmp_path / "status"
    for folder in made:
        folder.mkdir()
    return made


def _reject(journal, record):
    facts = TransitionFacts(NOW, Reason.INVALID_REQUEST, "cannot", settles=True)
    return RequestMachine(journal).fire(record, Event.REFUSE, facts)


def make_publisher(folders, journal, *, outbox=None, answered=None, request_pass=None):
    """A publisher on these folders."""
    requests, status = folders
    return Publisher(
        outbox or Outbox(status),
        Inbox(requests, 1024),
        journal,
        SystemClock(),
        1024,
        answered=answered or (lambda _record: None),
        request_pass=request_pass or (lambda: None),
    )


def test_progress_contains_the_latest_report(tmp_path, folders):
    """The whole report is in it while the script runs; the next progress contains nothing of it."""
    _, status = folders
    with Journal.open(tmp_path / "journal.db") as journal:
        record = journal.insert("one", "core", Action.UPDATE, None, None, NOW)
        publisher = make_publisher(folders, journal)
        shown = []
        record = replace(record, state=State.RUNNING)
        for notify in (
            lambda: publisher.progressed(record, ProgressReport("pull", 7, "layer\n", "slow\n")),
            lambda: publisher.moved(record),
        ):
            notify()
            found = Outbox(status).read_progress("one")
            shown.append((found.seq, found.phase, found.percent, found.output, found.error))
    assert shown == [(0, "pull", 7, "layer\n", "slow\n"), (1, None, None, "", "")]


def test_publish_pending_retries_after_a_journal_error(tmp_path, folders):
    """``publish_status`` returns that the answer was not published."""
    _, status = folders
    with UnreadableJournal.open(tmp_path / "journal.db") as journal:
        _reject(journal, journal.insert("one", "core", Action.UPDATE, None, None, NOW))
        publisher = make_publisher(folders, journal)
        journal.failing = True
        assert publisher.publish_status("one") is False
        journal.failing = False
        assert publisher.publish_pending() is True
        assert (status / "one.json").exists()


def test_publish_status_publishes_when_the_journal_is_full(tmp_path, folders):
    """The answer is published; the journal records the publication as soon as it has space."""
    requests, status = folders
    with FullJournal.open(tmp_path / "journal.db") as journal:
        _reject(journal, journal.insert("one", "core", Action.UPDATE, None, None, NOW))
        (requests / "one.json").touch()
        publisher = make_publisher(folders, journal)
        journal.full = True
        assert publisher.publish_status("one") is False
        assert publisher.publish_pending() is False
        assert not (requests / "one.json").exists()
        answer = (status / "one.json").stat()
        journal.full = False
        assert publisher.publish_pending() is True
        assert journal.get("one").published
        assert (status / "one.json").stat().st_ino == answer.st_ino


def test_publish_pending_pings_the_watchdog(tmp_path, folders):
    """It pings once after each answer: a backlog on a slow disk takes longer than the watchdog waits."""
    with Journal.open(tmp_path / "journal.db") as journal:
        for number in range(250):
            _reject(journal, journal.insert(f"r{number}", "core", Action.UPDATE, None, None, NOW))
        publisher = make_publisher(folders, journal)
        pings = []
        assert publisher.publish_pending(lambda: pings.append(1)) is True
        assert len(pings) == 250


@pytest.mark.parametrize("is_settled", [False, True])
def test_accepted_publishes_no_stale_progress(tmp_path, folders, is_settled):
    """A request that its lane has started or answered meanwhile is not reported as waiting (I1)."""
    with Journal.open(tmp_path / "journal.db") as journal:
        publisher = make_publisher(folders, journal)
        admitted = journal.insert("one", "core", Action.HEALTH, None, None, NOW)
        publisher.accepted(admitted)
        assert publisher._outbox.read_progress("one").seq == 0
        RequestMachine(journal).fire(admitted, Event.ACCEPT, TransitionFacts(NOW))
        if is_settled:
            _reject(journal, journal.get("one"))
            publisher.publish_status("one")
        publisher.accepted(admitted)
        progress = publisher._outbox.read_progress("one")
        assert progress is None if is_settled else progress.seq == 0


class QuickClient(Outbox):
    """A client that takes each answer and submits the same id again before its first request is removed."""

    def publish(self, status):
        super().publish(status)
        name = f"{status.request_id}.json"
        (self.directory / name).unlink()
        fresh = self.directory.parent / "requests" / ".fresh"
        fresh.write_text("{}")
        fresh.rename(fresh.with_name(name))


@pytest.mark.parametrize("had_request", [True, False])
def test_publish_status_keeps_a_request_that_arrives_meanwhile(tmp_path, folders, had_request):
    """It is another submission of the same id, which is answered, too (I7); the main loop is notified."""
    requests, status = folders
    notified = []
    with Journal.open(tmp_path / "journal.db") as journal:
        _reject(journal, journal.insert("one", "core", Action.UPDATE, None, None, NOW))
        if had_request:
            (requests / "one.json").touch()
        publisher = make_publisher(
            folders, journal, outbox=QuickClient(status), request_pass=lambda: notified.append("again")
        )
        assert publisher.publish_status("one") is True
        assert (requests / "one.json").exists()
        assert not journal.open_ids(["one"])  # else the intake would skip it
        assert notified == ["again"]


class FailingOutbox(Outbox):
    """Raises ``error`` for the answers named in ``fails``."""

    def __init__(self, directory, fails, error):
        super().__init__(directory)
        self.fails, self.error, self.tries = fails, error, 0

    def publish(self, status):
        if status.request_id in self.fails:
            self.tries += 1
            raise self.error
        super().publish(status)


def settle_many(journal, count):
    """Settle ``count`` requests, r000 first."""
    for number in range(count):
        _reject(journal, journal.insert(f"r{number:03}", "core", Action.UPDATE, None, None, NOW))


@pytest.mark.parametrize("error", [OSError(errno.ENOTDIR, "no folder", "r000.json"), RuntimeError("defect")])
def test_publish_pending_continues_after_an_answer_that_fails(tmp_path, folders, error):
    """One answer that cannot be published does not block the others (I16)."""
    with Journal.open(tmp_path / "journal.db") as journal:
        settle_many(journal, 3)
        publisher = make_publisher(folders, journal, outbox=FailingOutbox(folders[1], {"r000"}, error))
        assert publisher.publish_pending() is False
        assert sorted(path.stem for path in folders[1].glob("*.json")) == ["r001", "r002"]


def test_publish_pending_bounds_the_retries_of_an_answer_that_raises(tmp_path, folders):
    """An unexpected error is retried a bounded number of times per start (I16)."""
    outbox = FailingOutbox(folders[1], {"r000"}, RuntimeError("defect"))
    with Journal.open(tmp_path / "journal.db") as journal:
        settle_many(journal, 1)
        publisher = make_publisher(folders, journal, outbox=outbox)
        for _ in range(MAX_FAILURES * 2):
            publisher.publish_pending()
    assert outbox.tries == MAX_FAILURES


def test_publish_pending_reaches_every_answer_behind_many_that_fail(tmp_path, folders):
    """A pass ends after a number of failures; the next one begins behind them, and the one after it at the start."""
    names = {f"r{number:03}" for number in range(150)}
    outbox = FailingOutbox(folders[1], names, OSError(errno.ENOSPC, "no space", "x"))
    with Journal.open(tmp_path / "journal.db") as journal:
        settle_many(journal, 160)
        publisher = make_publisher(folders, journal, outbox=outbox)
        assert publisher.publish_pending() is False
        assert list(folders[1].glob("*.json")) == []
        assert publisher.publish_pending() is False
        assert len(list(folders[1].glob("*.json"))) == 10
        outbox.fails = set()
        publisher.publish_pending()
        assert publisher.publish_pending() is True
        assert len(list(folders[1].glob("*.json"))) == 160


def test_publish_status_reduces_an_answer_that_cannot_be_composed(tmp_path, folders):
    """A row that no status of this release can represent is still answered, with its message (I1)."""
    answered = []
    with Journal.open(tmp_path / "journal.db") as journal:
        _reject(journal, journal.insert("one", "core", Action.UPDATE, None, None, NOW))
        for statement in (
            "DROP TRIGGER settled_requests_stay",
            "DROP TRIGGER state_follows_transitions",
            "PRAGMA ignore_check_constraints = ON",  # a newer release may settle in a state that this one forbids
            "UPDATE requests SET state = 'paused' WHERE id = 'one'",
        ):
            journal.database.write(statement)
        publisher = make_publisher(folders, journal, answered=answered.append)
        assert publisher.publish_status("one") is True
    status = Outbox(folders[1]).read("one")
    assert (status.success, status.reason) == (False, Reason.INTERNAL_ERROR)
    assert status.message.startswith("cannot; the rest of the answer cannot be composed")
    assert [record.request_id for record in answered] == ["one"]


def test_publish_status_ignores_an_unsettled_request(tmp_path, folders):
    """There is no result to publish yet (I1)."""
    with Journal.open(tmp_path / "journal.db") as journal:
        journal.insert("one", "core", Action.UPDATE, None, None, NOW)
        assert make_publisher(folders, journal).publish_status("one") is True
    assert list(folders[1].iterdir()) == []
