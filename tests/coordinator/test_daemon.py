"""The daemon: one pass of its main loop, its pauses and its errors."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from coordinator.daemon import PERIOD_S, Daemon
from fsm.errors import JournalDamagedError, JournalUnavailableError
from fsm.journal import Journal
from tests.support.coordinator_parts import make_runtime
from tests.support.manual_clock import ManualClock


class Parts:
    """Fake of intake, publisher, housekeeping and watcher; records the calls."""

    def __init__(self):
        self.calls = []
        self.errors = {}
        self.swept = None
        self.published = True
        self.is_watching = self.is_present = True

    def _call(self, name, result=None):
        self.calls.append(name)
        if name in self.errors:
            raise self.errors[name]
        return result

    def sweep(self):
        return self._call("sweep", self.swept)

    def publish_pending(self, _alive):
        return self._call("publish", self.published)

    def tick(self):
        return self._call("tick")

    def renew(self):
        return self.is_present


@pytest.fixture
def parts():
    """Parts that all succeed."""
    return Parts()


@pytest.fixture
def daemon(tmp_path, parts):
    """A daemon with these parts."""
    with Journal.open(tmp_path / "journal.db") as journal:
        runtime = make_runtime(journal, ManualClock())
        yield Daemon(parts, parts, parts, SimpleNamespace(), parts, runtime, 60.0)


def test_run_once_returns_the_long_pause_when_nothing_is_left(daemon, parts):
    """The watcher wakes the loop earlier."""
    assert daemon.run_once() == PERIOD_S
    assert parts.calls == ["sweep", "publish", "tick"]


@pytest.mark.parametrize("failing", ["sweep", "publish", "tick"])
@pytest.mark.parametrize("error", [OSError(28, "full"), JournalUnavailableError("busy"), RuntimeError("defect")])
def test_run_once_continues_after_a_part_that_fails(daemon, parts, failing, error):
    """The other parts run; a failed sweep or publication is retried soon (I16)."""
    parts.errors[failing] = error
    pause = daemon.run_once()
    assert parts.calls == ["sweep", "publish", "tick"]
    assert pause < PERIOD_S or failing == "tick"


def test_run_once_raises_for_a_damaged_journal(daemon, parts):
    """Only a restart replaces a damaged journal."""
    parts.errors["publish"] = JournalDamagedError("broken")
    with pytest.raises(JournalDamagedError):
        daemon.run_once()


@pytest.mark.parametrize(
    ("changes", "pause"),
    [
        ({"swept": 2.0}, 2.0),
        ({"published": False}, 5.0),
        ({"is_watching": False}, 5.0),
        ({"is_present": False, "is_watching": False}, 5.0),
    ],
)
def test_run_once_returns_a_short_pause_while_something_is_left(daemon, parts, changes, pause):
    """That is an unstable file, an unpublished answer, or a directory that is not watched."""
    for name, value in changes.items():
        setattr(parts, name, value)
    assert daemon.run_once() == pause
    assert ("sweep" in parts.calls) is parts.is_present
