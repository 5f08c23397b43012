"""Messages: nothing but a request or a clear refusal comes out of any bytes, and nothing gets lost on the way."""

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
wild_texts = st.text(st.characters(exclude_categories=[]))  # with lone surrogates, as JSON's \ud800 smuggles in
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
stamps = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=zones)  # noqa: DTZ001
whole_numbers = st.integers(-(2**63), 2**63 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | wild_texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(wild_texts, inner, max_size=4),
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


def read_or_refused(raw, stem="r1"):
    """The request, or None when it was refused in one line; anything else is a failure of the test."""
    try:
        request = decode_request(raw, stem)
    except ProtocolError as error:
        said = str(error)
    else:
        assert request.request_id == stem
        assert is_request_id(stem)
        assert request.timestamp.tzinfo is UTC
        return request
    assert said.startswith(("cannot accept the request: ", "cannot read the request: "))
    assert said.isprintable()
    return None


@given(st.binary())
@example(b"[" * 65536)
@example(b"9" * 65536)
@example(b'{"\\ud800": 1e999}')
def test_any_bytes_are_a_request_or_refused(raw):
    """Any bytes either are a request or are refused by a ProtocolError; nothing else ever comes out (I1, I6)."""
    read_or_refused(raw)


@given(json_values)
def test_any_json_is_a_request_or_refused(value):
    """So does any JSON, in either of its spellings."""
    for ascii_only in (True, False):
        read_or_refused(json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass"))


@given(good_fields, field_names, json_values | wild_texts)
def test_a_request_with_one_odd_field_is_read_or_refused(fields, name, value):
    """So does a good request with one field that holds anything at all."""
    read_or_refused(json.dumps(fields | {name: value}).encode())


@given(good_fields, st.dictionaries(wild_texts, json_values, max_size=3))
def test_unknown_fields_change_nothing(fields, more):
    """A request means the same whatever unknown fields it carries, unless they are not JSON."""
    plain = json.dumps(fields).encode()
    found = read_or_refused(json.dumps(more | fields).encode())
    assert found in (None, decode_request(plain, "r1"))
    assert found or any(constant in json.dumps(more) for constant in ("NaN", "Infinity"))


@given(good_fields, st.data())
def test_half_a_request_is_never_one(fields, data):
    """No proper beginning of a request is taken for a request (I5)."""
    raw = json.dumps(fields).encode()
    assert read_or_refused(raw[: data.draw(st.integers(0, len(raw) - 1))]) is None


@given(requests)
def test_a_request_survives_the_wire(request):
    """A valid request that is written and read is the same request, also where absent fields are left out."""
    for leave_out in (True, False):
        raw = request.model_dump_json(exclude_none=leave_out).encode()
        assert decode_request(raw, request.request_id) == request


@given(finals)
def test_a_final_status_survives_the_wire(final):
    """A final status that is written and read is the same answer."""
    assert FinalStatus.model_validate_json(final.model_dump_json().encode()) == final


@given(reports)
def test_progress_survives_the_wire(report):
    """Progress that is written and read is the same progress."""
    assert Progress.model_validate_json(report.model_dump_json().encode()) == report


@given(wild_texts, st.integers(8, 200))
@example("\x1b[2J\r\n\x85\u2028\ud800", 80)
def test_printable_is_one_short_ascii_line(text, limit):
    """Whatever is shown through printable is one line of printable ASCII, no longer than the limit (I6)."""
    shown = printable(text, limit)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown.splitlines()) == 1
    assert len(shown) <= limit


@given(wild_texts | ids)
@example("a.progress")
@example("..")
def test_an_id_names_one_file_in_its_folder(text):
    """What passes for an id is one path component, and none of its files is another request's (I5, I6)."""
    if not is_request_id(text):
        return
    for name in (request_file(text), status_file(text), progress_file(text)):
        assert "/" not in name
        assert "\x00" not in name
        assert not name.startswith(".")
        assert len(f".{name}.tmp".encode()) <= 255
    assert stem_of(request_file(text)) == text
    assert not is_request_id(stem_of(progress_file(text)))
