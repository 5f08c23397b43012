"""Request notifier: announcements of a request, and what follows its answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from recording_subscriber import RecordingSubscriber

from protocol.types import Action, Reason, State
from remote.events.bus import EventBus, SequenceAllocator
from remote.events.notifier import RequestNotifier
from remote.health.health_registry import HealthRegistry
from remote.settings import RemoteSettings
from remote.store import StateStore
from remote.submission import RecordedAnswer, SubmissionRecord
from tests.support.manual_clock import ManualClock

AT = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)


class UnreadableInventory:
    """1.0.0 was read earlier; reading again raises."""

    def refresh(self):
        raise RuntimeError("a defect")

    def status_of(self, _component):
        return SimpleNamespace(installed=SimpleNamespace(version="1.0.0"))

    def statuses(self):
        return {}


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    opened = StateStore(tmp_path / "state.sqlite", 10)
    yield opened
    opened.close()


def update(reason, state):
    """An update that ended like this."""
    answer = RecordedAnswer(success=reason is None, state=state, reason=reason, message="done", finished_at=AT)
    return SubmissionRecord(
        request_id="one", component="core", action=Action.UPDATE, version="1.2.3", asked_at=AT, answer=answer, number=0
    )


@pytest.mark.parametrize(
    ("reason", "state", "checked"),
    [
        (None, State.SUCCEEDED, ["core"]),
        (Reason.TIMEOUT, State.ROLLED_BACK, ["core"]),
        (Reason.SCRIPT_MISSING, State.FAILED, []),
    ],
)
def test_answer_is_recorded_and_announced_when_versions_cannot_be_read(store, reason, state, checked):
    """The answer has the version read before, and its follow-up begins (I16)."""

    async def scenario():
        bus = EventBus(SequenceAllocator(store), lambda _after, _before: [])
        subscriber, saved, checks = RecordingSubscriber(), [], []
        bus.subscribe(subscriber, None, lambda _complete: None)

        async def save(record):
            saved.append(record)

        async def check(component):
            checks.append(component)

        settings = RemoteSettings()
        registry = HealthRegistry(settings.components, None, ManualClock())
        notifier = RequestNotifier(settings, bus, UnreadableInventory(), registry, check)
        await notifier.settled(update(reason, state), save)
        return subscriber.messages, saved, checks

    messages, (record,), checks = asyncio.run(scenario())
    assert record.answer.current == "1.0.0"
    assert [message.body.SUBJECT for message in messages] == ["update_result", "log", "update_check_result"]
    assert record.number == messages[0].number
    assert checks == checked
