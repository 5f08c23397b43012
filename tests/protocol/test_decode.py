"""Decoding of a request file: bytes become a request, or an error with one clear message."""

import json
import os
import time
from datetime import UTC, datetime

import pytest

from protocol.decode import RequestInvalidError, RequestUnreadableError, decode_request
from protocol.types import Action
from tests.support.message_samples import STAMP, request_bytes, request_fields

DEEP = b'{"x":' * 200_000 + b"1" + b"}" * 200_000  # the limit differs between Python releases


@pytest.fixture
def set_time_zone(monkeypatch):
    """A function that sets the host's time zone for one test."""

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    earlier = os.environ.get("TZ")
    yield set_zone
    monkeypatch.undo()
    assert os.environ.get("TZ") == earlier
    time.tzset()


@pytest.mark.parametrize(
    ("raw", "problem"),
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
def test_decode_reports_incomplete_json_as_unreadable(raw, problem):
    """Bytes that are not JSON may be half of a request: RequestUnreadableError names the position."""
    with pytest.raises(RequestUnreadableError, match=f"^cannot read the request: .*{problem}"):
        decode_request(raw, "r1")


@pytest.mark.parametrize("raw", [b"null", b"[]", b'"core"', b"1", b"true", b"[{}]"])
def test_decode_rejects_json_that_is_no_object(raw):
    """The error lists the expected fields."""
    with pytest.raises(RequestInvalidError, match=r"is not a JSON object; write .* component, action, version"):
        decode_request(raw, "r1")


@pytest.mark.parametrize("field", ["component", "action", "request_id", "timestamp"])
def test_decode_names_a_missing_field(field):
    """The error names the field."""
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
def test_decode_names_a_field_of_a_wrong_type_or_value(field, value):
    """The error names the field and does not repeat its content."""
    with pytest.raises(RequestInvalidError, match=f"^cannot accept the request: {field}: ") as error:
        decode_request(request_bytes(**{field: value}), "r1")
    assert str(error.value).isascii()


def test_decode_names_all_wrong_fields_at_once():
    """One message names all wrong fields."""
    with pytest.raises(RequestInvalidError, match=r"component: .*; action: .*; timestamp: is missing"):
        decode_request(request_bytes(component=1, action="x", timestamp=...), "r1")


def test_decode_lists_the_known_actions_for_an_unknown_one():
    """The error lists the actions that exist."""
    with pytest.raises(RequestInvalidError, match=r"action: is not one of update, rollback, health"):
        decode_request(request_bytes(action="reboot"), "r1")


@pytest.mark.parametrize("raw", [DEEP, b"[" * 200_000, b'{"x":' * 200_000], ids=["closed", "list", "open"])
def test_decode_rejects_deep_nesting(raw):
    """Deep nesting makes a request invalid; it does not crash the coordinator."""
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
def test_decode_rejects_a_duplicate_key(raw, key):
    """A duplicate key is ambiguous: at any depth the error names it, without control characters."""
    with pytest.raises(RequestInvalidError) as error:
        decode_request(raw, "r1")
    assert f"field '{key.replace(chr(92) * 2, chr(92))}' appears twice" in str(error.value)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_decode_rejects_python_constants(constant):
    """NaN and the infinities are rejected even in unused fields."""
    with pytest.raises(RequestInvalidError, match=f"{constant} is not JSON"):
        decode_request(request_bytes()[:-1] + f', "x": {constant}}}'.encode(), "r1")


def test_decode_rejects_a_number_that_is_too_long():
    """A number with more digits than Python converts makes the request invalid."""
    with pytest.raises(RequestInvalidError, match=r"a number that is too long"):
        decode_request(request_bytes()[:-1] + b', "x": ' + b"9" * 5000 + b"}", "r1")


def test_decode_skips_a_byte_order_mark():
    """A request that begins with a byte order mark is decoded."""
    assert decode_request(b"\xef\xbb\xbf" + request_bytes(), "r1").component == "core"


def test_decode_ignores_unknown_fields():
    """Fields of newer clients are ignored, with any content."""
    request = decode_request(request_bytes(priority=[1, {"a": None}], output="x", **{"\ud800": "\ud800"}), "r1")
    assert request == decode_request(request_bytes(), "r1")


def test_decode_reads_the_request_of_the_requirements():
    """Every field keeps its value."""
    request = decode_request(json.dumps(request_fields()).encode(), "r1")
    assert (request.component, request.action, request.version) == ("core", Action.UPDATE, "1.2.3")
    assert (request.request_id, request.timestamp) == ("r1", STAMP)


@pytest.mark.parametrize("missing", [..., None])
def test_decode_accepts_a_missing_version(missing):
    """An absent or null version becomes None: a policy rule decides whether one is needed."""
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
def test_decode_reads_a_timestamp_with_or_without_offset(set_time_zone, text, stamp):
    """A timestamp with an offset is that instant; one without is in the host's local time."""
    set_time_zone("EST+5")
    found = decode_request(request_bytes(timestamp=text), "r1").timestamp
    assert found == stamp
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "request_id", ["../x", "/etc/x", "", "a\x00", "a" * 129, "a" * 300, "a\n", "a.progress", "\x1b[2J", "\ud800"]
)
def test_decode_rejects_an_unsafe_id(request_id):
    """An unsafe id is rejected even if it equals the file's stem; the error shows it as one ASCII line."""
    with pytest.raises(RequestInvalidError, match=r"request_id .* is unsafe; a request id is 1 to 128") as error:
        decode_request(request_bytes(request_id=request_id), request_id)
    assert str(error.value).isascii()
    assert str(error.value).isprintable()


@pytest.mark.parametrize("stem", ["r2", "R1", "r1.json", "", "r1 "])
def test_decode_rejects_an_id_that_differs_from_the_stem(stem):
    """The error names the id and the file's name."""
    with pytest.raises(RequestInvalidError, match=r"request_id 'r1' differs from the file's name .*; name the file"):
        decode_request(request_bytes(), stem)
