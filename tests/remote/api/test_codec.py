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
def test_codec_rejects_malformed_messages(text):
    """Binary data, invalid JSON, non-objects and missing subjects raise the same exception, and no other."""
    with pytest.raises(MessageInvalidError, match=r"^cannot decode the message"):
        codec.decode(text)


def test_codec_requires_only_the_subject():
    """Source and destination have defaults, and unknown fields are ignored."""
    decoded = codec.decode('{"subject": "updater.check_updates", "extra": 1}')
    assert (decoded.body, decoded.source, decoded.destination) == (None, "client", "controller")


def test_codec_encodes_the_envelope():
    """The envelope has DuneBugger's format; only events have a number."""
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


def test_codec_replaces_a_lone_surrogate():
    """JSON from GitHub or a client may contain a lone surrogate, which has no UTF-8 form; the connection stays open."""
    text = codec.encode(OutgoingMessage(LogLine(message="a\ud800b", level="info"), "panel\udfff"))
    assert json.loads(text.encode())["body"]["message"] == "a?b"


@pytest.mark.parametrize("body", [None, "null", "", {}])
def test_request_body_accepts_every_form_of_an_empty_body(body):
    """DuneBugger's clients send the text "null"."""
    assert CheckBody.parse(message(body)).force is False


@pytest.mark.parametrize("body", [[], 1, "core", True])
@pytest.mark.parametrize("kind", [CheckBody, ActionBody, HistoryBody])
def test_request_body_rejects_non_objects(kind, body):
    """The error names the required type."""
    with pytest.raises(MessageInvalidError, match="must be a JSON object"):
        kind.parse(message(body))


@pytest.mark.parametrize("body", [{}, {"component": 1}, {"component": ""}, {"component": None}])
@pytest.mark.parametrize("kind", [ActionBody, NamedActionBody])
def test_action_body_requires_a_component(kind, body):
    """The error names the missing field."""
    with pytest.raises(MessageInvalidError, match="must name the component"):
        kind.parse(message(body))


@pytest.mark.parametrize("body", [{"component": 1}, {"component": ""}, {"component": None}])
def test_history_body_rejects_an_invalid_component(body):
    """Without a component the history has all requests; a component must be a name."""
    assert not HistoryBody.parse(message({})).component
    with pytest.raises(MessageInvalidError, match="must name the component"):
        HistoryBody.parse(message(body))


@pytest.mark.parametrize("value", ["true", 1, None])
@pytest.mark.parametrize("kind", [ActionBody, NamedActionBody])
def test_action_body_rejects_a_dry_run_that_is_not_a_boolean(kind, value):
    """A malformed dry run must not run as a real update."""
    with pytest.raises(MessageInvalidError, match="dry_run must be true or false"):
        kind.parse(message({"component": "core", "dry_run": value}))


def test_named_action_body_accepts_a_bare_name():
    """DuneBugger's clients send only the name; an object may request a dry run."""
    assert NamedActionBody.parse(message("core")) == NamedActionBody(component="core")
    assert NamedActionBody.parse(message({"component": "core", "dry_run": True})).dry_run
