"""`dunebugger-remote update`: which messages it takes for its answer."""

from __future__ import annotations

import json

import pytest

from remote.commands import update
from remote.settings import RemoteSettings


def message(subject, **body):
    """As the server sends it."""
    return json.dumps({"subject": subject, "body": body, "source": "controller", "destination": "broadcast"})


def result(component, action, text):
    """The result of a request."""
    return message("update_result", component=component, action=action, success=True, message=text)


OURS = result("core", "update", "ours")


def followed(*messages, name="core"):
    """The message of the result that it returns."""
    return update._follow(iter(messages), name, RemoteSettings(), as_json=True)["message"]


@pytest.mark.parametrize(
    "other",
    [
        result("scheduler", "update", "another component's"),
        result("core", "rollback", "another action"),
        message("connected", seq=1, complete=True),
        json.dumps({"subject": "heartbeat", "body": "I am alive"}),
    ],
)
def test_update_command_ignores_messages_for_others(other):
    """Events go to all clients; the command waits for its own result."""
    assert followed(other, OURS) == "ours"


@pytest.mark.parametrize("name", ["core", "dunebugger-core", "DuneBugger-Core"])
def test_update_command_accepts_a_display_name(name):
    """Results carry the configured name."""
    assert followed(OURS, name=name) == "ours"


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([message("error", message="cannot execute more than 8 commands at once")], "more than 8 commands"),
        ([], "cannot determine how it ended: the server closed the connection"),
    ],
)
def test_update_command_reports_a_missing_answer(messages, words):
    """The error says where to look for it."""
    with pytest.raises(update.NotServedError, match=words):
        followed(*messages)


def test_update_command_prints_each_progress_once(capsys):
    """The phase changes are printed, not every poll."""
    steps = [
        {"component": "core", "action": "update", "state": "running", "phase": phase, "percent": percent}
        for phase, percent in ((None, None), ("download", 20), ("download", 20), ("install", 80))
    ]
    update._follow(
        iter([*(message("update_progress", **s) for s in steps), OURS]), "core", RemoteSettings(), as_json=False
    )
    assert capsys.readouterr().out.splitlines() == ["running", "running download 20 %", "running install 80 %"]
