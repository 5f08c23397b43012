"""What people hear: pure functions from what is known to events."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from protocol.types import Action, State
from remote.events import bodies as told
from remote.settings import Settings
from remote.store import Answer, Record

AT = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)


def record(number, component="core"):
    """An update that succeeded, told with this number and the next."""
    answer = Answer(success=True, state=State.SUCCEEDED, reason=None, message="done", finished_at=AT)
    return Record(
        request_id=f"id-{number}",
        component=component,
        action=Action.UPDATE,
        version="1.2.3",
        asked_at=AT,
        answer=answer,
        number=number,
    )


@pytest.mark.parametrize(
    ("after", "before", "numbers"),
    [
        (0, 99, [5, 6, 10, 11, 20, 21]),
        (5, 20, [6, 10, 11]),
        (6, 11, [10]),
        (21, 99, []),
        (11, 20, []),
    ],
)
def test_answers_are_told_again_with_their_numbers(after, before, numbers):
    """Those between the two alone: what comes after is told from the ring, and nothing twice."""
    waiting = record(7).model_copy(update={"answer": None, "number": 0})
    records = [record(20), waiting, record(5), record(10)]
    again = list(told.answers_between(records, Settings(), after, before))
    assert [number for number, _ in again] == numbers
    subjects = {number: event.subject for number, event in again}
    assert all(subjects[number] == ("update_result" if number % 5 == 0 else "log") for number in subjects)


def test_an_answer_of_a_component_that_is_configured_no_longer_can_be_told():
    """By the name under which it was asked for."""
    result, log = told.answer_events(record(1, "gone"), record(1).answer, Settings())
    assert (result.body["component"], log.body["message"]) == ("gone", "gone: done")
