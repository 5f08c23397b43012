"""What is cleared away, and when (I12)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from coordinator import housekeeping
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
EXCERPT = 10  # a stream above it is a complete log
DAY_S = 86400.0


class Place:
    """A journal, the folders beside it, and a housekeeper with limits of the test's own."""

    def __init__(self, root):
        self.runs = root / "runs"
        self.outbox = Outbox(root / "status")
        self.outbox.directory.mkdir()
        self.journal = Journal.open(root / "journal.db")
        self.clock = ManualClock()
        self.runtime = make_runtime(self.journal, self.clock)
        self.executor = load("sh").create(ExecutorSettings(self.runs, EXCERPT), self.clock)

    def keeper(self, logs_bytes=1000, history_days=365):
        return Housekeeping(
            self.journal,
            self.outbox,
            self.executor,
            self.runtime,
            Limits(status_retention_days=1, history_days=history_days, logs_bytes=logs_bytes),
            self.runs,
        )

    def ran(self, request_id, size, *, at=NOON, settles=True):
        """Let an update run whose script printed ``size`` bytes."""
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

    def logs(self):
        return {folder.name: sum(file.stat().st_size for file in folder.glob("*/*")) for folder in self.runs.glob("*")}


@pytest.fixture
def place(tmp_path):
    """Empty."""
    made = Place(tmp_path)
    yield made
    made.journal.close()


def test_the_newest_logs_are_kept_up_to_the_limit(place):
    """The oldest complete logs go first, by running time: a wall clock that jumped back changes nothing (I11)."""
    keeper = place.keeper(logs_bytes=700)
    for number, request_id in enumerate(("first", "second", "third", "fourth")):
        place.ran(request_id, 300, at=NOON - timedelta(days=number))
        place.clock.sleep(60)
        place.runtime.running_time.record()
    keeper.tidy()
    assert place.logs() == {"third": 300, "fourth": 300}


def test_within_an_hour_the_stamps_tell_which_log_is_older(place):
    """Running time is counted by the hour only."""
    for request_id, minutes in (("b", 1), ("c", 2), ("a", 3)):
        place.ran(request_id, 300, at=NOON + timedelta(minutes=minutes))
    place.keeper(logs_bytes=600).tidy()
    assert place.logs() == {"c": 300, "a": 300}


def test_a_log_larger_than_the_limit_goes(place):
    """One runaway script does not fill the disk."""
    place.ran("runaway", 701)
    place.keeper(logs_bytes=700).tidy()
    assert list(place.runs.iterdir()) == []


def test_the_logs_of_an_unsettled_request_stay(place):
    """They are neither removed, however old and large, nor counted against the others."""
    place.ran("under-way", 5000, settles=False)
    place.ran("over", 700)
    place.keeper(logs_bytes=700).tidy()
    assert place.logs()["over"] == 700
    assert {path.name for path in (place.runs / "under-way/1").iterdir()} == {"command", "stdout", "stderr"}


def test_logs_go_with_their_history(place):
    """Once the journal forgets a request, nothing of its runs stays; what is younger stays whole."""
    keeper = place.keeper(history_days=1)
    place.ran("old", 300)
    place.clock.sleep(DAY_S)
    keeper.tidy()
    assert place.logs() == {"old": 300}
    place.ran("young", 300)
    place.clock.sleep(1)
    keeper.tidy()
    assert place.journal.get("old") is None
    assert not (place.runs / "old").exists()
    assert place.logs() == {"young": 300}


def test_what_a_crash_left_of_a_settled_run_goes(place):
    """Files whose content is in the journal are removed, and so are folders that belong to no request."""
    place.ran("small", EXCERPT)
    (place.runs / "nobody" / "1").mkdir(parents=True)
    (place.runs / "nobody" / "1" / "stdout").write_bytes(b"x" * 300)
    place.keeper().tidy()
    assert list(place.runs.iterdir()) == []


def test_it_is_done_at_start_and_then_every_period(place):
    """A host that never runs for an hour is cleared all the same."""
    keeper = place.keeper(logs_bytes=1)
    place.ran("before", 300)
    keeper.tick()
    assert place.logs() == {}
    place.ran("later", 300)
    place.clock.sleep(PERIOD_S - 1)
    keeper.tick()
    assert place.logs() == {"later": 300}
    place.clock.sleep(1)
    keeper.tick()
    assert place.logs() == {}


def test_a_lane_may_forget_what_housekeeping_forgets(place):
    """Both remove the same files at once, and neither stumbles."""
    for number in range(300):
        place.ran(f"n{number}", 1)
    stumbles = []

    def forget():
        try:
            for number in range(300):
                place.executor.cleanup(f"n{number}")
        except OSError as error:
            stumbles.append(error)

    lanes = [threading.Thread(target=forget) for _ in range(3)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    assert stumbles == []
    assert list(place.runs.iterdir()) == []


def test_one_directory_that_cannot_be_cleared_keeps_no_other_back(place, monkeypatch):
    """Each item of a task is guarded by itself (I16)."""
    for name in ("bad", "good"):
        place.ran(name, EXCERPT)
    cleanup = place.executor.cleanup
    monkeypatch.setattr(
        place.executor,
        "cleanup",
        lambda name: (_ for _ in ()).throw(RuntimeError("defect")) if name == "bad" else cleanup(name),
    )
    place.keeper().tidy()
    assert [folder.name for folder in place.runs.iterdir()] == ["bad"]


def test_one_answer_that_cannot_be_removed_keeps_no_other_back(place, monkeypatch):
    """History stays as long as one of its answers does: that answer would block a later one under the same id."""
    for name in ("bad", "good"):
        place.ran(name, 1)
        (place.outbox.directory / f"{name}.json").write_text("{}")
    place.clock.sleep(400 * DAY_S)
    remove = housekeeping.remove_tree
    monkeypatch.setattr(
        housekeeping,
        "remove_tree",
        lambda path: (_ for _ in ()).throw(OSError(5, "I/O error")) if path.stem == "bad" else remove(path),
    )
    place.keeper().tidy()
    assert [path.stem for path in place.outbox.directory.iterdir()] == ["bad"]
    assert place.journal.existing_ids(["bad", "good"]) == {"bad", "good"}
