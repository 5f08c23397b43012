"""Bytes of a request file into a request, or one clear sentence why not."""

import json
import os
import time
from datetime import UTC, datetime

import pytest

from protocol.decode import RequestInvalidError, RequestUnreadableError, decode_request
from protocol.types import Action
from tests.support.message_samples import STAMP, request_bytes, request_fields

DEEP = b'{"x":' * 200_000 + b"1" + b"}" * 200_000  # each Python has another limit


@pytest.fixture
def zone(monkeypatch):
    """Sets the host's time zone for one test."""

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    earlier = os.environ.get("TZ")
    yield set_zone
    monkeypatch.undo()
    assert os.environ.get("TZ") == earlier
    time.tzset()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "line 1, column 1"),
        (b"\n{,", "line 2, column 2"),
        (b'{"component": "co', "invalid JSON"),
        (b"{'component': 'core'}", "invalid JSON"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b'{"component": "\xed\xa0\x80"}', "not UTF-8"),
        (b"{} {}", "invalid JSON"),
    ],
)
def test_what_is_not_json_yet_is_unreadable(raw, said):
    """Bytes that are no JSON may be half of a request: they are unreadable, and the place is named."""
    with pytest.raises(RequestUnreadableError, match=f"^cannot read the request: .*{said}"):
        decode_request(raw, "r1")


@pytest.mark.parametrize("raw", [b"null", b"[]", b'"core"', b"1", b"true", b"[{}]"])
def test_only_an_object_is_a_request(raw):
    """JSON that is no object is refused, with the fields that are expected."""
    with pytest.raises(RequestInvalidError, match=r"is not a JSON object; write .* component, action, version"):
        decode_request(raw, "r1")


@pytest.mark.parametrize("field", ["component", "action", "request_id", "timestamp"])
def test_a_missing_field_is_named(field):
    """A field that is missing is named."""
    with pytest.raises(RequestInvalidError, match=f"{field}: is missing$"):
        decode_request(request_bytes(**{field: ...}), "r1")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("component", 1),
        ("component", None),
        ("component", ""),
        ("component", ["core"]),
        ("action", "destroy"),
        ("action", "UPDATE"),
        ("action", None),
        ("action", 0),
        ("action", {}),
        ("version", 1.2),
        ("version", 1),
        ("version", True),
        ("version", ["1.2.3"]),
        ("request_id", 7),
        ("request_id", None),
        ("timestamp", 1768559400),
        ("timestamp", 1768559400.5),
        ("timestamp", "1768559400"),
        ("timestamp", True),
        ("timestamp", None),
        ("timestamp", "yesterday"),
        ("timestamp", ""),
        ("timestamp", "2026-13-01T00:00:00Z"),
        ("timestamp", "2026-01-16T25:00:00Z"),
        ("timestamp", "2026-01-16T10:30:00+99:00"),
        ("timestamp", "0001-01-01T00:00:00+23:59"),
        ("timestamp", "9999-12-31T23:59:59-23:59"),
        ("component", "a\ud800"),
        ("timestamp", "2026-01-16\ud800"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(field, value):
    """A field of a wrong type or value is named, and its content is not repeated."""
    with pytest.raises(RequestInvalidError, match=f"^cannot accept the request: {field}: ") as refusal:
        decode_request(request_bytes(**{field: value}), "r1")
    assert str(refusal.value).isascii()


def test_every_finding_is_told_at_once():
    """All wrong fields are named in one message."""
    with pytest.raises(RequestInvalidError, match=r"component: .*; action: .*; timestamp: is missing"):
        decode_request(request_bytes(component=1, action="x", timestamp=...), "r1")


def test_an_unknown_action_lists_the_known_ones():
    """An action that does not exist is answered with those that do."""
    with pytest.raises(RequestInvalidError, match=r"action: is not one of update, rollback, health"):
        decode_request(request_bytes(action="reboot"), "r1")


@pytest.mark.parametrize("raw", [DEEP, b"[" * 200_000, b'{"x":' * 200_000], ids=["closed", "list", "open"])
def test_deep_nesting_is_refused(raw):
    """Nesting without end is an invalid request, not the end of the coordinator."""
    with pytest.raises(RequestInvalidError, match=r"nested too deeply"):
        decode_request(raw, "r1")


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        (request_bytes()[:-1] + b', "component": "remote"}', "component"),
        (request_bytes()[:-1] + b', "component": "core"}', "component"),
        (request_bytes()[:-1] + b', "x": {"y": 1, "y": 1}}', "y"),
        (request_bytes()[:-1] + b', "a\\n": 1, "a\\u000a": 1}', r"a\\n"),
    ],
)
def test_a_doubled_key_is_refused(raw, key):
    """A key that appears twice could mean two things: it is named, at any depth, and forges no line."""
    with pytest.raises(RequestInvalidError) as refusal:
        decode_request(raw, "r1")
    assert f"field '{key.replace(chr(92) * 2, chr(92))}' appears twice" in str(refusal.value)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_python_constants_are_not_json(constant):
    """NaN and the infinities are refused even in fields nobody reads."""
    with pytest.raises(RequestInvalidError, match=f"{constant} is not JSON"):
        decode_request(request_bytes()[:-1] + f', "x": {constant}}}'.encode(), "r1")


def test_decode_rejects_a_number_that_is_too_long():
    """A number of more digits than can be read is an invalid request."""
    with pytest.raises(RequestInvalidError, match=r"a number that is too long"):
        decode_request(request_bytes()[:-1] + b', "x": ' + b"9" * 5000 + b"}", "r1")


def test_a_byte_order_mark_is_skipped():
    """A request that begins with a byte order mark is read."""
    assert decode_request(b"\xef\xbb\xbf" + request_bytes(), "r1").component == "core"


def test_unknown_fields_are_ignored():
    """Fields of newer clients do no harm, whatever they hold."""
    request = decode_request(request_bytes(priority=[1, {"a": None}], output="x", **{"\ud800": "\ud800"}), "r1")
    assert request == decode_request(request_bytes(), "r1")


def test_decode_reads_the_request_of_the_requirements():
    """Every field arrives as it was written."""
    request = decode_request(json.dumps(request_fields()).encode(), "r1")
    assert (request.component, request.action, request.version) == ("core", Action.UPDATE, "1.2.3")
    assert (request.request_id, request.timestamp) == ("r1", STAMP)


@pytest.mark.parametrize("missing", [..., None])
def test_the_version_may_be_missing(missing):
    """A version that is absent or null is none: whether one is needed is for a judge."""
    assert decode_request(request_bytes(version=missing), "r1").version is None


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("2026-01-16T10:30:00Z", STAMP),
        ("2026-01-16T12:30:00+02:00", STAMP),
        ("2026-01-16 05:30:00.000-05:00", STAMP),
        ("20260116T103000Z", STAMP),
        ("2026-01-16T05:30:00", STAMP),
        ("2026-01-16", datetime(2026, 1, 16, 5, tzinfo=UTC)),
    ],
)
def test_a_stamp_is_read_with_or_without_offset(zone, text, stamp):
    """A stamp with an offset means that instant; one without is the host's local time."""
    zone("EST+5")
    found = decode_request(request_bytes(timestamp=text), "r1").timestamp
    assert found == stamp
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "request_id", ["../x", "/etc/x", "", "a\x00", "a" * 129, "a" * 300, "a\n", "a.progress", "\x1b[2J", "\ud800"]
)
def test_an_unsafe_id_is_refused(request_id):
    """An id that is no safe name is refused, even where the file's name agrees, and is shown as one ASCII line."""
    with pytest.raises(RequestInvalidError, match=r"request_id .* is unsafe; a request id is 1 to 128") as refusal:
        decode_request(request_bytes(request_id=request_id), request_id)
    assert str(refusal.value).isascii()
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("stem", ["r2", "R1", "r1.json", "", "r1 "])
def test_an_id_that_is_not_the_stem_is_refused(stem):
    """An id that differs from the file's name is refused, naming both."""
    with pytest.raises(RequestInvalidError, match=r"request_id 'r1' differs from the file's name .*; name the file"):
        decode_request(request_bytes(), stem)
