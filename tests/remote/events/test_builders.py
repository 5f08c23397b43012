"""Bodies of events and answers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from protocol.messages import Progress
from protocol.types import Action, State, UnknownValue
from remote.events import builders
from remote.settings import RemoteSettings
from remote.submission import RecordedAnswer, SubmissionRecord

AT = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)


def record(number, component="core"):
    """A successful update; this number and the next are those of its events."""
    answer = RecordedAnswer(success=True, state=State.SUCCEEDED, reason=None, message="done", finished_at=AT)
    return SubmissionRecord(
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
def test_answers_between_replays_answers_with_their_numbers(after, before, numbers):
    """Only answers between the two numbers are replayed: later ones are in the buffer of the bus."""
    pending = record(7).model_copy(update={"answer": None, "number": 0})
    records = [record(20), pending, record(5), record(10)]
    replayed = list(builders.answers_between(records, RemoteSettings(), after, before))
    assert [message.number for message in replayed] == numbers
    subjects = {message.number: message.body.SUBJECT for message in replayed}
    assert all(subjects[number] == ("update_result" if number % 5 == 0 else "log") for number in subjects)


@pytest.fixture
def bad():
    """A record from which no entry can be built, as only a defect could make it."""
    return record(7).model_copy(update={"component": None})


def test_lists_of_requests_leave_out_a_bad_record(bad):
    """History, outstanding requests and the replay of answers contain the records beside it (I16)."""
    records = [record(1), bad, record(20)]
    assert [entry.request_id for entry in builders.history(None, records).requests] == ["id-1", "id-20"]
    pending = [(entry, None) for entry in records]
    assert [entry.request_id for entry in builders.outstanding(pending).requests] == ["id-1", "id-20"]
    replayed = builders.answers_between(records, RemoteSettings(), 0, 99)
    assert [message.number for message in replayed] == [1, 2, 20, 21]


def test_answer_events_name_a_component_that_is_no_longer_configured():
    """The events have the name under which the request was submitted."""
    result, log = builders.answer_events(record(1, "removed"), record(1).answer, RemoteSettings())
    assert (result.component, log.message) == ("removed", "removed: done")


def test_answer_events_keep_unknown_values():
    """Action, state and reason of a newer release reach clients unchanged."""
    answer = record(1).answer.model_copy(update={"reason": "quota_exceeded", "state": UnknownValue("paused")})
    newer = record(1).model_copy(update={"action": UnknownValue("cancel"), "answer": answer})
    result, _ = builders.answer_events(newer, answer, RemoteSettings())
    shown = [result.model_dump(mode="json"), builders.history_entry(newer).model_dump(mode="json")]
    assert result.SUBJECT == "update_result"
    assert [(body["reason"], body["action"], body["state"]) for body in shown] == [
        ("quota_exceeded", "cancel", "paused")
    ] * 2
    health, _ = builders.answer_events(newer.model_copy(update={"action": Action.HEALTH}), answer, RemoteSettings())
    assert (health.SUBJECT, health.state, health.running) == ("health_result", "paused", True)


def test_progress_keeps_an_unknown_state():
    """A state of a newer coordinator reaches clients unchanged."""
    latest = Progress(
        request_id="id-1",
        component="core",
        action=Action.UPDATE,
        state=State.RUNNING,
        phase=None,
        percent=None,
        seq=1,
        timestamp=AT,
    ).model_copy(update={"state": UnknownValue("paused")})
    assert builders.progress_of(record(1), latest).model_dump(mode="json")["state"] == "paused"


@pytest.mark.parametrize(
    ("success", "reason", "running"),
    [
        (True, None, True),
        (False, "unhealthy", False),
        (False, "script_failed", False),
        (False, "no_answer", None),
        (False, "quota_exceeded", None),
    ],
)
def test_is_running_evaluates_the_answer_to_a_health_check(success, reason, running):
    """The health is unknown after a health check that could not run."""
    answer = record(1).answer.model_copy(update={"success": success, "reason": reason})
    assert builders.is_running(answer) is running


def test_progress_of_a_pending_request_is_submitted():
    """Before the first progress the state is `submitted`, with the time of the request."""
    progress = builders.progress_of(record(1), None)
    assert (progress.state, progress.phase, progress.timestamp) == ("submitted", None, AT)


def test_bodies_write_timestamps_in_utc_with_z():
    """Timestamps have the same format with and without fractions of a second."""
    entry = builders.history_entry(record(1).model_copy(update={"asked_at": AT.replace(microsecond=120_000)}))
    dumped = entry.model_dump(mode="json")
    assert (dumped["asked_at"], dumped["finished_at"]) == ("2026-01-16T10:30:00.120000Z", "2026-01-16T10:30:00Z")
