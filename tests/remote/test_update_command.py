"""`dunebugger-remote update`: the messages that it accepts as its result."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import ConnectionClosedOK

from remote.commands import update
from remote.settings import RemoteSettings
from tests.support.manual_clock import ManualClock


def message(subject, **body):
    """A message in the server's format."""
    return json.dumps({"subject": subject, "body": body, "source": "controller", "destination": "broadcast"})


def result(component, action, text):
    """The result of a request."""
    return message("update_result", component=component, action=action, success=True, message=text)


OURS = result("core", "update", "ours")
LIMIT_S = 30 + 600 + 30 * 10  # gateway.pickup_s, gateway.timeout_s, 30 times releases.timeout_s


class FakeConnection:
    """A server that sends these messages, one every ``interval_s``, and then closes the connection."""

    def __init__(self, *messages, interval_s=0, clock=None):
        self.messages, self.interval_s, self.clock = iter(messages), interval_s, clock

    def recv(self, timeout):
        """Return the next message, or raise as the real connection."""
        if self.clock is not None:
            self.clock.sleep(min(self.interval_s, timeout))
            if self.interval_s > timeout:
                raise TimeoutError
        for text in self.messages:
            return text
        raise ConnectionClosedOK(None, None)


def follow(*messages, name="core"):
    """Return the message of the result that the command selects."""
    return update._follow(FakeConnection(*messages), name, RemoteSettings(), as_json=True)["message"]


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


def test_update_command_recognizes_the_answer_for_a_long_unknown_name():
    """The server repeats only the beginning of such a name."""
    assert follow(result("x" * 100, "update", "rejected"), name="x" * 3000) == "rejected"


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
        FakeConnection(*(message("update_progress", **s) for s in steps), OURS), "core", RemoteSettings(), as_json=False
    )
    assert capsys.readouterr().out.splitlines() == ["running", "running download 20 %", "running install 80 %"]


@pytest.mark.parametrize("interval_s", [10, 100_000])
def test_update_command_ends_at_its_time_limit(interval_s):
    """The time limit holds for a server that sends nothing, and for one that sends other messages forever (I16)."""
    clock = ManualClock()
    began = clock.monotonic()
    connection = FakeConnection(*[message("heartbeat")] * 1000, interval_s=interval_s, clock=clock)
    with pytest.raises(update.NotServedError, match=r"no answer within 930 s.*sudo update-coordinator history"):
        update._follow(connection, "core", RemoteSettings(), as_json=True, clock=clock)
    assert clock.monotonic() - began == LIMIT_S


CONTROL = "\x1b]0;title\x07\u202e\nbad"


def test_update_command_prints_no_control_characters_in_progress(capsys):
    """The phase comes from a script."""
    step = {"component": "core", "action": "update", "state": "running", "phase": CONTROL, "percent": None}
    connection = FakeConnection(message("update_progress", **step), OURS)
    update._follow(connection, "core", RemoteSettings(), as_json=False)
    assert capsys.readouterr().out == "running \\x1b]0;title\\x07\\u202e\\nbad\n"


def test_update_command_reports_no_control_characters_in_errors():
    """The error comes from the server."""
    with pytest.raises(update.NotServedError) as reported:
        follow(message("error", message=CONTROL))
    assert str(reported.value) == "\\x1b]0;title\\x07\\u202e\\nbad"


def test_update_command_prints_no_control_characters_in_the_result(capsys, monkeypatch):
    """The message of the result may quote a script or a component."""
    connection = FakeConnection(result("core", "update", CONTROL))
    connection.send = lambda _: None
    monkeypatch.setattr(update, "_open", lambda *_: connection)
    assert update.execute(RemoteSettings(), "core", dry_run=False, as_json=False) == 0
    assert capsys.readouterr().out == "\\x1b]0;title\\x07\\u202e\\nbad\n"
