"""The observer group: every observer is notified, whatever one of them does (I16)."""

from __future__ import annotations

import pytest

from coordinator.observers import ObserverGroup, RequestObserver
from executors.interface import ProgressReport
from fsm.errors import JournalDamagedError
from tests.support.coordinator_parts import RecordingObserver
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
def test_an_observer_that_fails_keeps_no_other_from_its_notification(name):
    """Its error is logged; what happens to the request is not changed by it."""
    group, recorder = ObserverGroup(), RecordingObserver()
    group.add(FailingObserver(RuntimeError("defect")), recorder)
    NOTIFICATIONS[name](group, make_record())
    assert len(recorder.seen) + len(recorder.reports) == 1


def test_a_damaged_journal_is_passed_on_after_the_others():
    """Only a restart helps; the others are notified first."""
    group, recorder = ObserverGroup(), RecordingObserver()
    group.add(FailingObserver(JournalDamagedError("broken")), recorder)
    with pytest.raises(JournalDamagedError):
        group.settled(make_record())
    assert len(recorder.seen) == 1


def test_an_observer_overrides_what_it_needs():
    """Every method of the interface does nothing by itself."""
    for notify in NOTIFICATIONS.values():
        notify(RequestObserver(), make_record())
