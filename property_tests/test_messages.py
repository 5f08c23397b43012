"""Decoding of messages: any bytes give a request or a clear rejection, and a round trip keeps every field."""

import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st

from protocol.decode import decode_request
from protocol.messages import Attempt, FinalStatus, Progress, Request
from protocol.names import is_request_id, printable, progress_file, request_file, status_file, stem_of
from protocol.types import Action, ProtocolError, Reason, State

ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True).filter(is_request_id)
texts = st.text(st.characters(exclude_categories=["Cs"]))
any_texts = st.text(st.characters(exclude_categories=[]))  # including lone surrogates, which JSON's \ud800 produces
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
stamps = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=zones)  # noqa: DTZ001
whole_numbers = st.integers(-(2**63), 2**63 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_texts, inner, max_size=4),
    max_leaves=8,
)
field_names = st.sampled_from(["component", "action", "version", "request_id", "timestamp"])
good_fields = st.fixed_dictionaries(
    {
        "component": st.just("core"),
        "action": st.sampled_from(Action),
        "version": st.just("1.2.3"),
        "request_id": st.just("r1"),
        "timestamp": st.just("2026-01-16T10:30:00Z"),
    }
)
requests = st.builds(
    Request,
    component=texts.filter(bool),
    action=st.sampled_from(Action),
    version=st.none() | texts,
    request_id=ids,
    timestamp=stamps,
)
attempts = st.builds(
    Attempt,
    script=texts,
    exit_code=st.none() | whole_numbers,
    seconds=st.none() | st.floats(min_value=0, allow_infinity=False, allow_nan=False),
)
finals = st.builds(
    FinalStatus,
    request_id=ids,
    component=st.none() | texts,
    action=st.none() | st.sampled_from(Action),
    version=st.none() | texts,
    success=st.booleans(),
    state=st.sampled_from(State),
    reason=st.none() | st.sampled_from(Reason),
    message=texts,
    output=texts,
    error=texts,
    exit_code=st.none() | whole_numbers,
    timestamp=stamps,
    started_at=st.none() | stamps,
    finished_at=stamps,
    attempts=st.lists(attempts, max_size=4).map(tuple),
)
reports = st.builds(
    Progress,
    request_id=ids,
    component=texts,
    action=st.sampled_from(Action),
    state=st.sampled_from(State),
    phase=st.none() | texts,
    percent=st.none() | st.integers(0, 100),
    seq=st.integers(0, 2**63 - 1),
    timestamp=stamps,
    output=texts,
    error=texts,
)


def decode_or_reject(raw, stem="r1"):
    """The request, or None if it was rejected with one line; any other outcome fails the test."""
    try:
        request = decode_request(raw, stem)
    except ProtocolError as error:
        message = str(error)
    else:
        assert request.request_id == stem
        assert is_request_id(stem)
        assert request.timestamp.tzinfo is UTC
        return request
    assert message.startswith(("cannot accept the request: ", "cannot read the request: "))
    assert message.isprintable()
    return None


@given(st.binary())
@example(b"[" * 65536)
@example(b"9" * 65536)
@example(b'{"\\ud800": 1e999}')
def test_decode_accepts_or_rejects_any_bytes(raw):
    """Any bytes decode to a request or raise ProtocolError and no other exception (I1, I6)."""
    decode_or_reject(raw)


@given(json_values)
def test_decode_accepts_or_rejects_any_json(value):
    """Any JSON decodes to a request or raises ProtocolError, in either encoding."""
    for ascii_only in (True, False):
        decode_or_reject(json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass"))


@given(good_fields, field_names, json_values | any_texts)
def test_decode_accepts_or_rejects_one_arbitrary_field(fields, name, value):
    """A valid request with one arbitrary field decodes or raises ProtocolError."""
    decode_or_reject(json.dumps(fields | {name: value}).encode())


@given(good_fields, st.dictionaries(any_texts, json_values, max_size=3))
def test_decode_ignores_any_unknown_fields(fields, more):
    """Unknown fields do not change the request, unless they are not valid JSON."""
    plain = json.dumps(fields).encode()
    found = decode_or_reject(json.dumps(more | fields).encode())
    assert found in (None, decode_request(plain, "r1"))
    assert found or any(constant in json.dumps(more) for constant in ("NaN", "Infinity"))


@given(good_fields, st.data())
def test_decode_rejects_every_prefix_of_a_request(fields, data):
    """No proper prefix of a request decodes to a request (I5)."""
    raw = json.dumps(fields).encode()
    assert decode_or_reject(raw[: data.draw(st.integers(0, len(raw) - 1))]) is None


@given(requests)
def test_request_round_trip(request):
    """A request survives a round trip, also with absent fields omitted."""
    for exclude_none in (True, False):
        raw = request.model_dump_json(exclude_none=exclude_none).encode()
        assert decode_request(raw, request.request_id) == request


@given(finals)
def test_final_status_round_trip(final):
    """A final status survives a round trip."""
    assert FinalStatus.model_validate_json(final.model_dump_json().encode()) == final


@given(reports)
def test_progress_round_trip(report):
    """A progress report survives a round trip."""
    assert Progress.model_validate_json(report.model_dump_json().encode()) == report


@given(any_texts, st.integers(8, 200))
@example("\x1b[2J\r\n\x85\u2028\ud800", 80)
def test_printable_is_one_short_ascii_line(text, limit):
    """``printable`` returns one line of printable ASCII within the limit (I6)."""
    shown = printable(text, limit)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown.splitlines()) == 1
    assert len(shown) <= limit


@given(any_texts | ids)
@example("a.progress")
@example("..")
def test_request_id_names_one_file_in_its_directory(text):
    """A valid id is one path component, and none of its files belongs to another request (I5, I6)."""
    if not is_request_id(text):
        return
    for name in (request_file(text), status_file(text), progress_file(text)):
        assert "/" not in name
        assert "\x00" not in name
        assert not name.startswith(".")
        assert len(f".{name}.tmp".encode()) <= 255
    assert stem_of(request_file(text)) == text
    assert not is_request_id(stem_of(progress_file(text)))
