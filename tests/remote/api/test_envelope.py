"""Messages in and out."""

from __future__ import annotations

import json

import pytest
from hand_clock import HandClock

from remote.api import bodies, envelope
from remote.api.envelope import Incoming, MessageInvalidError
from remote.api.token_bucket import Allowance


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "no json",
        "[]",
        '"text"',
        "null",
        "{}",
        '{"subject": 1}',
        '{"subject": null}',
        '{"subject": "a", "source": 1}',
        "[" * 100000,
        '{"subject": ' + "9" * 5000 + "}",
        '{"subject": "\\ud800"',
    ],
)
def test_what_is_no_message_is_said_to_be_none(text):
    """Binary, not JSON, not an object, no subject: one clear error each, and never another exception."""
    with pytest.raises(MessageInvalidError, match=r"^cannot understand the message"):
        envelope.read(text)


def test_a_message_may_leave_out_all_but_its_subject():
    """Source and destination have defaults, and unknown fields are ignored."""
    message = envelope.read('{"subject": "updater.check_updates", "extra": 1}')
    assert (message.body, message.source, message.destination) == (None, "client", "controller")


def test_what_we_send_names_us_as_its_source():
    """The envelope is DuneBugger's; only events are numbered."""
    event = json.loads(envelope.event(7, "log", {"message": "ü"}))
    answer = json.loads(envelope.answer("heartbeat", "I am alive", "panel"))
    assert event == {
        "subject": "log",
        "body": {"message": "ü"},
        "source": "controller",
        "destination": "broadcast",
        "seq": 7,
    }
    assert answer == {"subject": "heartbeat", "body": "I am alive", "source": "controller", "destination": "panel"}


@pytest.mark.parametrize("body", [None, "null", "", {}])
def test_no_body_is_an_empty_one(body):
    """DuneBugger's clients send the word null."""
    assert bodies.fields(Incoming(subject="s", body=body)) == {}


@pytest.mark.parametrize("body", [[], 1, "core", True])
def test_a_body_that_is_no_object_is_refused(body):
    """With a sentence that says what it must be."""
    with pytest.raises(MessageInvalidError, match="must be a JSON object"):
        bodies.fields(Incoming(subject="s", body=body))


@pytest.mark.parametrize("body", [{}, {"component": 1}, {"component": ""}, {"component": None}])
def test_a_body_that_names_no_component_is_refused(body):
    """With an example."""
    with pytest.raises(MessageInvalidError, match="must name the component"):
        bodies.component(body)


@pytest.mark.parametrize("value", ["true", 1, None])
def test_a_flag_is_true_or_false(value):
    """A dry run that is asked for in another way must not become a real one."""
    with pytest.raises(MessageInvalidError, match="dry_run must be true or false"):
        bodies.flag({"dry_run": value}, "dry_run")


def test_a_client_may_speak_in_bursts_but_not_for_long():
    """Three seconds' worth at once, then as fast as allowed."""
    clock = HandClock()
    allowance = Allowance(10, clock)
    assert [allowance.spend() for _ in range(31)] == [True] * 30 + [False]
    clock.sleep(0.25)
    assert [allowance.spend() for _ in range(3)] == [True, True, False]
