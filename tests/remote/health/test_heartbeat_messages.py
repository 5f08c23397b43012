"""Heartbeat messages: requests and senders."""

import json

import pytest

from remote.health.heartbeat_messages import MESSAGE_BYTES, has_valid_subject, heartbeat_request, parse_sender


def test_heartbeat_request_has_the_documented_form():
    """The request goes to the component's subject and names the subject of the answer."""
    subject, content = heartbeat_request("dunebugger", "core")
    assert subject == "dunebugger.core.heartbeat"
    assert json.loads(content) == {
        "subject": "heartbeat",
        "body": "are you there?",
        "source": "remote",
        "destination": "core",
        "reply_subject": "dunebugger.remote.heartbeat",
    }


@pytest.mark.parametrize(
    ("content", "sender"),
    [
        (b'{"source": "core"}', "core"),
        (b' {"body": {"a": [1]}, "source": " Core ", "more": null} ', "core"),
        (b"", None),
        (b"core", None),
        (b'"core"', None),
        (b"null", None),
        (b'["source", "core"]', None),
        (b"{}", None),
        (b'{"source": null}', None),
        (b'{"source": 1}', None),
        (b'{"source": ["core"]}', None),
        (b'{"source": "core"', None),
        (b'{"source": "\xff"}', None),
        (b"\0" * 100, None),
        (b"[" * 100_000, None),
        (b'{"a": ' * 20_000 + b"1" + b"}" * 20_000, None),
        (b'{"source": "core", "a": ' + b"9" * 100_000 + b"}", None),
        (b'{"source": "core"}' + b" " * (MESSAGE_BYTES - 18), "core"),
        (b'{"source": "core"}' + b" " * (MESSAGE_BYTES - 17), None),
    ],
)
def test_parse_sender_returns_the_source_of_a_json_object(content, sender):
    """Only a JSON object within the size limit whose ``source`` is a string has a sender; no content raises."""
    assert parse_sender(content) == sender


@pytest.mark.parametrize(
    ("component", "is_valid"), [("core", True), ("a.b", True), ("a-b_c", True), ("a..b", False), ("a.", False)]
)
def test_has_valid_subject_rejects_empty_tokens(component, is_valid):
    """A request with an empty subject token would close the connection."""
    assert has_valid_subject(component) is is_valid
