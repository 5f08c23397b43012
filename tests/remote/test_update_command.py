"""`dunebugger-remote update`: the messages that it accepts as its result."""

from __future__ import annotations

import json

import pytest

from remote.commands import update
from remote.settings import RemoteSettings


def message(subject, **body):
    """A message in the server's format."""
    return json.dumps({"subject": subject, "body": body, "source": "controller", "destination": "broadcast"})


def result(component, action, text):
    """The result of a request."""
    return message("update_result", component=component, action=action, success=True, message=text)


OURS = result("core", "update", "ours")


def follow(*messages, name="core"):
    """Return the message of the result that the command selects."""
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
def test_update_command_ignores_results_of_other_requests(other):
    """Events go to all clients; the command waits for its own result."""
    assert follow(other, OURS) == "ours"


@pytest.mark.parametrize("name", ["core", "dunebugger-core", "DuneBugger-Core"])
def test_update_command_accepts_a_display_name(name):
    """The command accepts any form of the name, although results have the configured one."""
    assert follow(OURS, name=name) == "ours"


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([message("error", message="cannot execute more than 8 commands at once")], "more than 8 commands"),
        ([], "cannot determine how it ended: the server closed the connection"),
    ],
)
def test_update_command_reports_a_missing_answer(messages, text):
    """An error message or a closed connection ends the command with an error."""
    with pytest.raises(update.NotServedError, match=text):
        follow(*messages)


def test_update_command_prints_each_progress_once(capsys):
    """A repeated progress message is not printed again."""
    steps = [
        {"component": "core", "action": "update", "state": "running", "phase": phase, "percent": percent}
        for phase, percent in ((None, None), ("download", 20), ("download", 20), ("install", 80))
    ]
    update._follow(
        iter([*(message("update_progress", **s) for s in steps), OURS]), "core", RemoteSettings(), as_json=False
    )
    assert capsys.readouterr().out.splitlines() == ["running", "running download 20 %", "running install 80 %"]
