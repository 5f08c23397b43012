"""Codec: decoding and validation of incoming messages, encoding of outgoing ones."""

from __future__ import annotations

import json

import pytest

from remote.api import codec
from remote.api.codec import (
    ActionBody,
    CheckBody,
    HistoryBody,
    IncomingMessage,
    MessageInvalidError,
    NamedActionBody,
)
from remote.events.bodies import Heartbeat, LogLine
from remote.events.envelope import OutgoingMessage


def message(body):
    """A message with this body."""
    return IncomingMessage(subject="s", body=body)


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
def test_codec_rejects_what_is_not_a_message(text):
    """Binary, not JSON, not an object, no subject: one clear error each, and never another exception."""
    with pytest.raises(MessageInvalidError, match=r"^cannot decode the message"):
        codec.decode(text)


def test_codec_requires_only_the_subject():
    """Source and destination have defaults, and unknown fields are ignored."""
    decoded = codec.decode('{"subject": "updater.check_updates", "extra": 1}')
    assert (decoded.body, decoded.source, decoded.destination) == (None, "client", "controller")


def test_codec_encodes_the_envelope():
    """The envelope is DuneBugger's; only events are numbered."""
    event = json.loads(codec.encode(OutgoingMessage(LogLine(message="ü", level="info"), number=7)))
    answer = json.loads(codec.encode(OutgoingMessage(Heartbeat(), "panel")))
    assert event == {
        "subject": "log",
        "body": {"message": "ü", "level": "info"},
        "source": "controller",
        "destination": "broadcast",
        "seq": 7,
    }
    assert answer == {"subject": "heartbeat", "body": "I am alive", "source": "controller", "destination": "panel"}


def test_codec_encodes_half_a_surrogate_pair():
    """JSON from GitHub or a client may hold one; it has no UTF-8 form and must not end a connection."""
    text = codec.encode(OutgoingMessage(LogLine(message="a\ud800b", level="info"), "panel\udfff"))
    assert json.loads(text.encode())["body"]["message"] == "a?b"


@pytest.mark.parametrize("body", [None, "null", "", {}])
def test_request_body_accepts_every_form_of_nothing(body):
    """DuneBugger's clients send the word null."""
    assert CheckBody.parse(message(body)).force is False


@pytest.mark.parametrize("body", [[], 1, "core", True])
@pytest.mark.parametrize("kind", [CheckBody, ActionBody, HistoryBody])
def test_request_body_rejects_what_is_not_an_object(kind, body):
    """The error says what it must be."""
    with pytest.raises(MessageInvalidError, match="must be a JSON object"):
        kind.parse(message(body))


@pytest.mark.parametrize("body", [{}, {"component": 1}, {"component": ""}, {"component": None}])
@pytest.mark.parametrize("kind", [ActionBody, NamedActionBody])
def test_action_body_requires_a_component(kind, body):
    """The error has an example."""
    with pytest.raises(MessageInvalidError, match="must name the component"):
        kind.parse(message(body))


@pytest.mark.parametrize("body", [{"component": 1}, {"component": ""}, {"component": None}])
def test_history_body_rejects_an_invalid_component(body):
    """Left out, it stands for all; present, it must be a name."""
    assert not HistoryBody.parse(message({})).component
    with pytest.raises(MessageInvalidError, match="must name the component"):
        HistoryBody.parse(message(body))


@pytest.mark.parametrize("value", ["true", 1, None])
@pytest.mark.parametrize("kind", [ActionBody, NamedActionBody])
def test_action_body_rejects_a_dry_run_that_is_not_a_boolean(kind, value):
    """A dry run that is requested in another form must not become a real one."""
    with pytest.raises(MessageInvalidError, match="dry_run must be true or false"):
        kind.parse(message({"component": "core", "dry_run": value}))


def test_named_action_body_accepts_the_name_alone():
    """As DuneBugger's clients send it; the object may ask for a dry run."""
    assert NamedActionBody.parse(message("core")) == NamedActionBody(component="core")
    assert NamedActionBody.parse(message({"component": "core", "dry_run": True})).dry_run
