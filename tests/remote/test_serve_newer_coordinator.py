"""Serve: unknown values and fields of a newer coordinator or release reach clients unchanged."""

from __future__ import annotations

import json

import pytest

from protocol.types import Action, UnknownValue
from remote.store import StateStore
from remote.submission import SubmissionRecord
from tests.support.message_samples import final


@pytest.fixture
def configured(serving):
    """A configured server that is not started; the tests answer instead of a coordinator."""
    serving.github.publish("owner/core", "1.1.0")
    serving.github.publish("owner/scheduler", "1.0.0")
    return serving


def answer_as_newer_coordinator(configured, request_id, **fields):
    """Write the answer of a newer coordinator, atomically, like a coordinator."""
    known = json.loads(final(request_id).model_dump_json())
    temporary = configured.host.status / "answer.tmp"
    temporary.write_text(json.dumps(known | {"priority": 7} | fields))
    temporary.rename(configured.host.status / f"{request_id}.json")


@pytest.mark.parametrize(
    "fields",
    [
        {"reason": "quota_exceeded"},
        {"action": "cancel"},
        {"extra": {"nested": [1]}},
    ],
)
def test_serve_announces_an_answer_with_unknown_values(configured, fields):
    """An answer with an unknown reason is valid: it reaches the client, and is removed from the shared folder."""
    configured.start()
    client = configured.connect()
    client.send("updater.perform_update", {"component": "core"})
    request_id = client.expect("update_progress")["request_id"]
    answer_as_newer_coordinator(configured, request_id, **fields)
    result = client.expect("update_result")
    assert (result["request_id"], result["late"]) == (request_id, False)
    assert result["reason"] == fields.get("reason", "unhealthy")
    assert result["state"] == fields.get("state", "rolled_back")
    client.send("updater.history")
    (entry,) = client.expect("history", lambda body: body["requests"][-1]["request_id"] == request_id)["requests"][-1:]
    assert (entry["reason"], entry["state"]) == (result["reason"], result["state"])


def test_serve_follows_a_stored_request_with_an_unknown_action(configured):
    """A newer release submitted the request before a rollback to this one: it is listed, followed and answered."""
    configured.state.mkdir()
    store = StateStore(configured.state / "state.sqlite", 200)
    store.save(
        SubmissionRecord(
            request_id="newer-1",
            component="core",
            action=UnknownValue("cancel"),
            version=None,
            asked_at="2026-01-16T10:30:00Z",
        )
    )
    store.close()
    configured.start()
    client = configured.connect()
    client.send("updater.outstanding")
    (outstanding,) = client.expect("outstanding")["requests"]
    assert (outstanding["request_id"], outstanding["action"]) == ("newer-1", "cancel")
    answer_as_newer_coordinator(configured, "newer-1", action="cancel")
    result = client.expect("update_result")
    assert (result["request_id"], result["action"]) == ("newer-1", "cancel")
    client.send("updater.health", {"component": "core"})
    client.expect("update_progress", lambda body: body["action"] == Action.HEALTH)


def test_serve_starts_with_a_stored_row_that_does_not_decode(configured):
    """The row is skipped and logged; the server works."""
    configured.state.mkdir()
    store = StateStore(configured.state / "state.sqlite", 200)
    with store._database.transaction() as connection:
        connection.execute("INSERT INTO requests VALUES ('broken', '{')")
    store.close()
    configured.start()
    client = configured.connect()
    client.send("updater.history")
    assert client.expect("history")["requests"] == []
    assert "does not decode; skipped" in configured.log()


def test_serve_imports_the_state_of_an_earlier_release(configured):
    """An answer that arrived during the update is announced under a number that was never used before."""
    (configured.state / "requests").mkdir(parents=True)
    record = SubmissionRecord(
        request_id="older-1",
        component="core",
        action=Action.UPDATE,
        version="1.1.0",
        asked_at="2026-01-16T10:30:00Z",
        automatic=False,
    )
    (configured.state / "requests" / "older-1.json").write_text(record.model_dump_json())
    (configured.state / "numbers").write_text("3000000\n")
    answer_as_newer_coordinator(configured, "older-1")
    configured.start()
    client = configured.connect(since=2_999_999)
    assert client.expect("update_result")["request_id"] == "older-1"
    assert min(message["seq"] for message in client.received if "seq" in message) > 3_000_000
    configured.stop()
    configured.start()
    assert not any((configured.state / name).exists() for name in ("requests", "numbers"))
