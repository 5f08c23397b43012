"""What `dunebugger-remote update` takes for the answer to what it asked."""

from __future__ import annotations

import json

import pytest

from remote.commands import update
from remote.settings import Settings


def message(subject, **body):
    """As the server sends it."""
    return json.dumps({"subject": subject, "body": body, "source": "controller", "destination": "broadcast"})


def result(component, action, text):
    """A result of somebody's request."""
    return message("update_result", component=component, action=action, success=True, message=text)


OURS = result("core", "update", "ours")


def followed(*messages, name="core"):
    """What it takes for its result."""
    return update._follow(iter(messages), name, Settings(), as_json=True)["message"]


@pytest.mark.parametrize(
    "other",
    [
        result("scheduler", "update", "another component's"),
        result("core", "rollback", "another wish of somebody else's"),
        message("connected", seq=1, complete=True),
        json.dumps({"subject": "heartbeat", "body": "I am alive"}),
    ],
)
def test_what_others_hear_is_not_ours(other):
    """Everybody hears everything; the one that updates waits for its own answer."""
    assert followed(other, OURS) == "ours"


@pytest.mark.parametrize("name", ["core", "dunebugger-core", "DuneBugger-Core"])
def test_the_name_may_be_the_one_that_people_use(name):
    """Results bear the short one."""
    assert followed(OURS, name=name) == "ours"


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([message("error", message="cannot do more than 8 things at once")], "more than 8 things"),
        ([], "cannot tell how it ended: the server closed the connection"),
    ],
)
def test_no_answer_is_said_to_be_none(messages, words):
    """With where to look for it."""
    with pytest.raises(update.NotServedError, match=words):
        followed(*messages)


def test_each_line_of_progress_is_shown_once(capsys):
    """People see the phase change, and not every look."""
    steps = [
        {"component": "core", "action": "update", "state": "running", "phase": phase, "percent": percent}
        for phase, percent in ((None, None), ("download", 20), ("download", 20), ("install", 80))
    ]
    update._follow(iter([*(message("update_progress", **s) for s in steps), OURS]), "core", Settings(), as_json=False)
    assert capsys.readouterr().out.splitlines() == ["running", "running download 20 %", "running install 80 %"]
