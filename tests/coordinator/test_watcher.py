"""The watcher rings for whatever may be a request, on a real folder and the real inotify."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
from loguru import logger
from watchdog.observers.inotify_c import InotifyFD

from coordinator.watcher import Watcher

PATIENCE_S = 60.0


class Rung:
    """A bell that counts its rings, and can be waited for."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.count = 0

    def __call__(self) -> None:
        with self._condition:
            self.count += 1
            self._condition.notify_all()

    def wait_beyond(self, count: int) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: self.count > count, PATIENCE_S)


@pytest.fixture
def requests(tmp_path):
    """The folder that is watched."""
    (tmp_path / "requests").mkdir()
    return tmp_path / "requests"


@pytest.fixture
def rung():
    """Rings so far."""
    return Rung()


@pytest.fixture
def watcher(requests, rung):
    """Watching; its first ring is over."""
    made = Watcher(requests, rung)
    made.start()
    assert made.is_watching
    yield made
    made.stop()


def _renamed(folder: Path) -> None:
    (folder / ".a.tmp").write_text("{}")
    (folder / ".a.tmp").rename(folder / "a.json")


def _renamed_from_elsewhere(folder: Path) -> None:
    (folder.parent / "a").write_text("{}")
    (folder.parent / "a").rename(folder / "a.json")


ARRIVALS = {
    "written": lambda folder: (folder / "a.json").write_text("{}"),
    "renamed": _renamed,
    "renamed from elsewhere": _renamed_from_elsewhere,
    "linked": lambda folder: (folder / "a.json").symlink_to("/nowhere"),
    "a folder": lambda folder: (folder / "a.json").mkdir(),
    "a pipe": lambda folder: os.mkfifo(folder / "a.json"),
    "not text": lambda folder: Path(os.fsdecode(os.fsencode(folder) + b"/\xff.json")).touch(),
}


@pytest.mark.parametrize("arrive", ARRIVALS.values(), ids=ARRIVALS)
def test_whatever_may_be_a_request_rings(watcher, requests, rung, arrive):
    """However it comes into the folder, and whatever it is."""
    before = rung.count
    arrive(requests)
    assert rung.wait_beyond(before)


def test_the_end_of_writing_rings(watcher, requests, rung):
    """A file that was there already, and open, may be judged once it is closed."""
    before = rung.count
    with (requests / "a.json").open("w") as file:
        assert rung.wait_beyond(before)
        before = rung.count
        file.write("{}")
    assert rung.wait_beyond(before)


def test_other_names_do_not_ring(watcher, requests, rung):
    """Temporary files are somebody's own; the one request after them is the first to ring."""
    before = rung.count
    for number in range(100):
        (requests / f".{number}.json.tmp").write_text("{}")
    (requests / "a.json").symlink_to("/nowhere")  # a single event
    assert rung.wait_beyond(before)
    assert rung.count == before + 1


def test_a_folder_that_is_moved_away_rings_and_is_found_again(watcher, requests, rung):
    """Moved away, replaced, and moved back: each time the folder that bears the name is the one watched."""
    before = rung.count
    requests.rename(requests.with_name("away"))
    assert rung.wait_beyond(before)
    assert watcher.renew() is False
    assert not watcher.is_watching
    for bring_back in (requests.mkdir, lambda: (requests.rmdir(), requests.with_name("away").rename(requests))):
        bring_back()
        assert watcher.renew() is True
        assert watcher.is_watching
        before = rung.count
        (requests / f"{before}.json").symlink_to("/nowhere")
        assert rung.wait_beyond(before)
        (requests / f"{before}.json").unlink()


def test_a_deleted_folder_rings(watcher, requests, rung):
    """Whoever waits must look again soon, not in half a minute."""
    before = rung.count
    requests.rmdir()
    assert rung.wait_beyond(before)
    assert watcher.renew() is False


def test_a_host_without_inotify_is_said_so_once_and_looked_at(requests, rung, monkeypatch):
    """Where no more can be watched, requests are still there to be looked for; the log says it once."""

    def refuse(_class):
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    said = []
    sink = logger.add(said.append, format="{message}")
    watcher = Watcher(requests, rung)
    monkeypatch.setattr(InotifyFD, "_create_inotify_fd", classmethod(refuse))
    watcher.start()
    assert [watcher.renew(), watcher.is_watching] == [True, False]
    logger.remove(sink)
    assert [line.count("inotify instance limit reached") for line in said] == [1]
    monkeypatch.undo()
    assert [watcher.renew(), watcher.is_watching, rung.count] == [True, True, 1]
    watcher.stop()


def test_a_host_without_room_for_a_thread_is_said_so_and_asked_again(requests, rung, monkeypatch):
    """Nothing of the first try is left open, a stop has nothing to wait for, and the next look watches."""

    def refuse(_self):
        raise RuntimeError("can't start new thread")

    watcher = Watcher(requests, rung)
    monkeypatch.setattr(InotifyFD, "start", refuse)
    watcher.start()
    watcher.stop()
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert [watcher.renew(), watcher.is_watching] == [True, False]
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    monkeypatch.undo()
    assert [watcher.renew(), watcher.is_watching, rung.count] == [True, True, 1]
    watcher.stop()


def test_a_full_queue_rings(watcher, rung):
    """The kernel counts no further than max_queued_events; nothing is lost, for one ring is as good as many."""
    before = rung.count
    watcher.on_queue_overflow()
    assert rung.count == before + 1
