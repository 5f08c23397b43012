"""The observer group notifies every observer, even if one of them raises (I16)."""

from __future__ import annotations

import pytest

from coordinator.observers import ObserverGroup, RequestObserver
from executors.interface import ProgressReport
from fsm.errors import JournalDamagedError
from tests.support.coordinator_parts import RecordingRequestObserver
from tests.support.requests import make_record

NOTIFICATIONS = {
    "accepted": lambda group, record: group.accepted(record),
    "started": lambda group, record: group.started(record, "update.sh"),
    "progressed": lambda group, record: group.progressed(record, ProgressReport("pull")),
    "moved": lambda group, record: group.moved(record),
    "settled": lambda group, record: group.settled(record),
    "answered": lambda group, record: group.answered(record),
}


class FailingObserver(RequestObserver):
    """Raises at every notification."""

    def __init__(self, error):
        self._error = error

    def _fail(self, *_):
        raise self._error

    accepted = started = progressed = moved = settled = answered = _fail


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_observer_group_notifies_the_others_after_an_error(name):
    """The error is logged and does not affect the request."""
    group, recorder = ObserverGroup(), RecordingRequestObserver()
    group.add(FailingObserver(RuntimeError("defect")), recorder)
    NOTIFICATIONS[name](group, make_record())
    assert len(recorder.seen) + len(recorder.reports) == 1


def test_observer_group_raises_for_a_damaged_journal_at_the_end():
    """Only a restart replaces a damaged journal; the other observers are notified first."""
    group, recorder = ObserverGroup(), RecordingRequestObserver()
    group.add(FailingObserver(JournalDamagedError("broken")), recorder)
    with pytest.raises(JournalDamagedError):
        group.settled(make_record())
    assert len(recorder.seen) == 1


def test_observer_methods_do_nothing_by_default():
    """An observer overrides only the methods that it needs."""
    for notify in NOTIFICATIONS.values():
        notify(RequestObserver(), make_record())
