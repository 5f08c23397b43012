"""What is said on the bus, and by whom."""

import json

import pytest

from remote.health.heartbeat_messages import MESSAGE_BYTES, can_be_asked, question, speaker


def test_a_question_is_the_one_of_the_document():
    """The question goes to the component's own subject, and says where the answer is expected."""
    subject, content = question("dunebugger", "core")
    assert subject == "dunebugger.core.heartbeat"
    assert json.loads(content) == {
        "subject": "heartbeat",
        "body": "are you there?",
        "source": "remote",
        "destination": "core",
        "reply_subject": "dunebugger.remote.heartbeat",
    }


@pytest.mark.parametrize(
    ("content", "who"),
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
def test_who_speaks_is_the_source_of_an_object(content, who):
    """Only a JSON object of bearable size with a text as its source is a message; nothing else is an error."""
    assert speaker(content) == who


@pytest.mark.parametrize(
    ("component", "can"), [("core", True), ("a.b", True), ("a-b_c", True), ("a..b", False), ("a.", False)]
)
def test_a_name_without_a_subject_is_not_asked(component, can):
    """Some names cannot be a part of a subject: asking would end the connection."""
    assert can_be_asked(component) is can
