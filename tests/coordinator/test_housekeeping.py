"""Housekeeping: what it removes, and when (I12)."""

from __future__ import annotations

import shutil
import threading
from datetime import UTC, datetime, timedelta

from coordinator import housekeeping as housekeeping_module
from coordinator.housekeeping import PERIOD_S, Housekeeping
from coordinator.settings import Limits
from executors.interface import ExecutorSettings
from executors.registry import load
from fsm.journal import Journal
from fsm.machine import RequestMachine
from fsm.records import AttemptRecord, TransitionFacts
from fsm.transition_table import Event
from protocol.outbox import Outbox
from protocol.types import Action, State
from tests.support.coordinator_parts import make_runtime
from tests.support.manual_clock import ManualClock

NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)
EXCERPT = 10  # the complete log of a longer stream is kept
DAY_S = 86400.0


class HousekeepingFixture:
    """A journal and the folders beside it; ``housekeeping`` takes the limits of a test."""

    def __init__(self, root):
        self.runs = root / "runs"
        self.outbox = Outbox(root / "status")
        self.outbox.directory.mkdir()
        self.journal = Journal.open(root / "journal.db")
        self.clock = ManualClock()
        self.runtime = make_runtime(self.journal, self.clock)
        self.executor = load("sh").create(ExecutorSettings(self.runs, EXCERPT), self.clock)

    def housekeeping(self, logs_bytes=1000, history_days=365):
        return Housekeeping(
            self.journal,
            self.outbox,
            self.executor,
            self.runtime,
            Limits(status_retention_days=1, history_days=history_days, logs_bytes=logs_bytes),
            self.runs,
        )

    def run_update(self, request_id, size, *, at=NOON, settles=True):
        """Record an update whose script printed ``size`` bytes."""
        self.journal.insert(request_id, "core", Action.UPDATE, "1.0.0", at, at)
        attempt = AttemptRecord(request_id, 1, State.RUNNING, "update.sh", "boot", at, 0.0)
        machine = RequestMachine(self.journal)
        record = machine.fire(self.journal.get(request_id), Event.ACCEPT, TransitionFacts(at))
        record = machine.fire(record, Event.START, TransitionFacts(at, begin=attempt))
        if settles:
            machine.fire(record, Event.SUCCEED, TransitionFacts(at, settles=True))
            self.journal.mark_published(request_id)
        run = self.runs / request_id / "1"
        run.mkdir(parents=True)
        for name, content in {"command": b"", "stdout": b"x" * size, "stderr": b""}.items():
            (run / name).write_bytes(content)

    def log_sizes(self):
        return {folder.name: sum(file.stat().st_size for file in folder.glob("*/*")) for folder in self.runs.glob("*")}


FIXTURE = HousekeepingFixture


def test_housekeeping_keeps_the_newest_logs_up_to_the_limit(fixture):
    """The oldest complete logs are removed first, by running time: a wall clock that jumps back has no effect (I11)."""
    housekeeping = fixture.housekeeping(logs_bytes=700)
    for number, request_id in enumerate(("first", "second", "third", "fourth")):
        fixture.run_update(request_id, 300, at=NOON - timedelta(days=number))
        fixture.clock.sleep(60)
        fixture.runtime.running_time.record()
    housekeeping.run()
    assert fixture.log_sizes() == {"third": 300, "fourth": 300}


def test_housekeeping_orders_logs_of_one_hour_by_timestamp(fixture):
    """Running time is counted by the hour only."""
    for request_id, minutes in (("b", 1), ("c", 2), ("a", 3)):
        fixture.run_update(request_id, 300, at=NOON + timedelta(minutes=minutes))
    fixture.housekeeping(logs_bytes=600).run()
    assert fixture.log_sizes() == {"c": 300, "a": 300}


def test_housekeeping_removes_a_log_larger_than_the_limit(fixture):
    """The unlimited output of one script does not fill the disk."""
    fixture.run_update("large", 701)
    fixture.housekeeping(logs_bytes=700).run()
    assert list(fixture.runs.iterdir()) == []


def test_housekeeping_keeps_the_logs_of_an_unsettled_request(fixture):
    """They are neither removed, however old and large, nor counted against the others."""
    fixture.run_update("under-way", 5000, settles=False)
    fixture.run_update("over", 700)
    fixture.housekeeping(logs_bytes=700).run()
    assert fixture.log_sizes()["over"] == 700
    assert {path.name for path in (fixture.runs / "under-way/1").iterdir()} == {"command", "stdout", "stderr"}


def test_housekeeping_removes_logs_with_their_history(fixture):
    """Once the journal has pruned a request, nothing of its runs is left; a younger request keeps all of its logs."""
    housekeeping = fixture.housekeeping(history_days=1)
    fixture.run_update("old", 300)
    fixture.clock.sleep(DAY_S)
    housekeeping.run()
    assert fixture.log_sizes() == {"old": 300}
    fixture.run_update("young", 300)
    fixture.clock.sleep(1)
    housekeeping.run()
    assert fixture.journal.get("old") is None
    assert not (fixture.runs / "old").exists()
    assert fixture.log_sizes() == {"young": 300}


def test_housekeeping_removes_what_a_crash_left_of_a_settled_run(fixture):
    """Files whose content is in the journal are removed, and so are folders that belong to no request."""
    fixture.run_update("small", EXCERPT)
    (fixture.runs / "unknown" / "1").mkdir(parents=True)
    (fixture.runs / "unknown" / "1" / "stdout").write_bytes(b"x" * 300)
    fixture.housekeeping().run()
    assert list(fixture.runs.iterdir()) == []


def test_housekeeping_runs_at_start_and_then_every_period(fixture):
    """A host that never runs for an hour is cleaned up as well."""
    housekeeping = fixture.housekeeping(logs_bytes=1)
    fixture.run_update("before", 300)
    housekeeping.tick()
    assert fixture.log_sizes() == {}
    fixture.run_update("later", 300)
    fixture.clock.sleep(PERIOD_S - 1)
    housekeeping.tick()
    assert fixture.log_sizes() == {"later": 300}
    fixture.clock.sleep(1)
    housekeeping.tick()
    assert fixture.log_sizes() == {}


def test_cleanup_tolerates_concurrent_calls(fixture):
    """Lanes and housekeeping may remove the same files at once, and no call fails."""
    for number in range(300):
        fixture.run_update(f"n{number}", 1)
    errors = []

    def clean_up():
        try:
            for number in range(300):
                fixture.executor.cleanup(f"n{number}")
        except OSError as error:
            errors.append(error)

    lanes = [threading.Thread(target=clean_up) for _ in range(3)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    assert errors == []
    assert list(fixture.runs.iterdir()) == []


def test_housekeeping_continues_after_a_run_directory_that_cannot_be_removed(fixture, monkeypatch):
    """Each item of a task is guarded separately (I16)."""
    for name in ("bad", "good"):
        fixture.run_update(name, EXCERPT)
    cleanup = fixture.executor.cleanup
    monkeypatch.setattr(
        fixture.executor,
        "cleanup",
        lambda name: (_ for _ in ()).throw(RuntimeError("defect")) if name == "bad" else cleanup(name),
    )
    fixture.housekeeping().run()
    assert [folder.name for folder in fixture.runs.iterdir()] == ["bad"]


def test_housekeeping_continues_after_an_answer_that_cannot_be_removed(fixture, monkeypatch):
    """Only its own history is kept, because the answer would block a later one under the same id (I16)."""
    for name in ("bad", "good"):
        fixture.run_update(name, 1)
        (fixture.outbox.directory / f"{name}.json").write_text("{}")
    fixture.clock.sleep(400 * DAY_S)
    remove = housekeeping_module.remove_tree
    monkeypatch.setattr(
        housekeeping_module,
        "remove_tree",
        lambda path: (_ for _ in ()).throw(OSError(5, "I/O error")) if path.stem == "bad" else remove(path),
    )
    fixture.housekeeping().run()
    assert [path.stem for path in fixture.outbox.directory.iterdir()] == ["bad"]
    assert fixture.journal.existing_ids(["bad", "good"]) == {"bad"}


def test_housekeeping_prunes_batch_after_batch(fixture, monkeypatch):
    """One run removes everything that is too old, however small the batches are."""
    monkeypatch.setattr(housekeeping_module, "_BATCH", 2)
    names = [f"r{number}" for number in range(5)]
    for name in names:
        fixture.run_update(name, EXCERPT)
    fixture.clock.sleep(400 * DAY_S)
    fixture.housekeeping().run()
    assert fixture.journal.existing_ids(names) == set()


def test_housekeeping_continues_after_a_log_that_cannot_be_removed(fixture, monkeypatch):
    """Both logs are too large; the one that can be removed is removed (I16)."""
    for name in ("older", "newer"):
        fixture.run_update(name, 300)
    remove = shutil.rmtree

    def failing(path, **options):
        if path.name == "older":
            raise OSError(5, "I/O error")
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", failing)
    fixture.housekeeping(logs_bytes=1).run()
    assert [path.name for path in fixture.runs.iterdir()] == ["older"]
