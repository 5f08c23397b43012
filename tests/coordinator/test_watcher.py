"""The watcher notifies for every file that may be a request, on a real folder with the real inotify."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
from loguru import logger
from watchdog.observers.inotify_c import InotifyFD

from coordinator.watcher import Watcher

DEADLINE_S = 60.0


class WakeupCounter:
    """A wake-up that counts its notifications, and can be waited for."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.count = 0

    def __call__(self) -> None:
        with self._condition:
            self.count += 1
            self._condition.notify_all()

    def wait_beyond(self, count: int) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: self.count > count, DEADLINE_S)


@pytest.fixture
def requests(tmp_path):
    """The folder that is watched."""
    (tmp_path / "requests").mkdir()
    return tmp_path / "requests"


@pytest.fixture
def wakeups():
    """The notifications so far."""
    return WakeupCounter()


@pytest.fixture
def watcher(requests, wakeups):
    """A started watcher; its first notification is over."""
    made = Watcher(requests, wakeups)
    made.start()
    assert made.is_watching
    yield made
    made.stop()


def _renamed(folder: Path) -> None:
    (folder / ".a.tmp").write_text("{}")
    (folder / ".a.tmp").rename(folder / "a.json")


def _renamed_from_another_folder(folder: Path) -> None:
    (folder.parent / "a").write_text("{}")
    (folder.parent / "a").rename(folder / "a.json")


ARRIVALS = {
    "written": lambda folder: (folder / "a.json").write_text("{}"),
    "renamed": _renamed,
    "renamed from another folder": _renamed_from_another_folder,
    "linked": lambda folder: (folder / "a.json").symlink_to("/nowhere"),
    "a folder": lambda folder: (folder / "a.json").mkdir(),
    "a pipe": lambda folder: os.mkfifo(folder / "a.json"),
    "not UTF-8": lambda folder: Path(os.fsdecode(os.fsencode(folder) + b"/\xff.json")).touch(),
}


@pytest.mark.parametrize("arrive", ARRIVALS.values(), ids=ARRIVALS)
def test_watcher_notifies_for_a_new_request(watcher, requests, wakeups, arrive):
    """The way in which it arrives, and its file type, make no difference."""
    before = wakeups.count
    arrive(requests)
    assert wakeups.wait_beyond(before)


def test_watcher_notifies_when_a_file_is_closed(watcher, requests, wakeups):
    """A file that existed already, and was open, may be evaluated once it is closed."""
    before = wakeups.count
    with (requests / "a.json").open("w") as file:
        assert wakeups.wait_beyond(before)
        before = wakeups.count
        file.write("{}")
    assert wakeups.wait_beyond(before)


def test_watcher_ignores_other_names(watcher, requests, wakeups):
    """Temporary files belong to their writers; the one request after them is the first to notify."""
    before = wakeups.count
    for number in range(100):
        (requests / f".{number}.json.tmp").write_text("{}")
    (requests / "a.json").symlink_to("/nowhere")  # a single event
    assert wakeups.wait_beyond(before)
    assert wakeups.count == before + 1


def test_watcher_follows_a_folder_that_is_replaced(watcher, requests, wakeups):
    """Moved away, replaced, and moved back: each time the folder that has the name is the one watched."""
    before = wakeups.count
    requests.rename(requests.with_name("away"))
    assert wakeups.wait_beyond(before)
    assert watcher.renew() is False
    assert not watcher.is_watching
    for restore in (requests.mkdir, lambda: (requests.rmdir(), requests.with_name("away").rename(requests))):
        restore()
        assert watcher.renew() is True
        assert watcher.is_watching
        before = wakeups.count
        (requests / f"{before}.json").symlink_to("/nowhere")
        assert wakeups.wait_beyond(before)
        (requests / f"{before}.json").unlink()


def test_watcher_notifies_when_its_folder_is_deleted(watcher, requests, wakeups):
    """The main loop must check again soon, not in half a minute."""
    before = wakeups.count
    requests.rmdir()
    assert wakeups.wait_beyond(before)
    assert watcher.renew() is False


def test_watcher_reports_once_that_inotify_is_unavailable(requests, wakeups, monkeypatch):
    """The main loop checks the folder at intervals meanwhile, and watching is retried."""

    def fail(_class):
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    messages = []
    sink = logger.add(messages.append, format="{message}")
    watcher = Watcher(requests, wakeups)
    monkeypatch.setattr(InotifyFD, "_create_inotify_fd", classmethod(fail))
    watcher.start()
    assert [watcher.renew(), watcher.is_watching] == [True, False]
    logger.remove(sink)
    assert [message.count("inotify instance limit reached") for message in messages] == [1]
    monkeypatch.undo()
    assert [watcher.renew(), watcher.is_watching, wakeups.count] == [True, True, 1]
    watcher.stop()


def test_watcher_retries_when_its_thread_cannot_start(requests, wakeups, monkeypatch):
    """The first try leaves no descriptor open, a stop has nothing to wait for, and the next try watches."""

    def fail(_self):
        raise RuntimeError("can't start new thread")

    watcher = Watcher(requests, wakeups)
    monkeypatch.setattr(InotifyFD, "start", fail)
    watcher.start()
    watcher.stop()
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert [watcher.renew(), watcher.is_watching] == [True, False]
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    monkeypatch.undo()
    assert [watcher.renew(), watcher.is_watching, wakeups.count] == [True, True, 1]
    watcher.stop()


def test_watcher_notifies_when_the_kernel_queue_overflows(watcher, wakeups):
    """The kernel queues at most max_queued_events; nothing is lost, because notifications coalesce."""
    before = wakeups.count
    watcher.on_queue_overflow()
    assert wakeups.count == before + 1
