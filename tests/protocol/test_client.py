"""The client side of the spool."""

import errno
import os
import uuid

import pytest

from protocol import client as client_module
from protocol.client import (
    Client,
    SpoolMissingError,
    SpoolNotWritableError,
    SpoolUnavailableError,
    StatusTimeoutError,
)
from protocol.decode import decode_request
from protocol.outbox import Outbox
from protocol.types import Action, ProtocolError
from tests.support.filesystem import listing
from tests.support.manual_clock import START, ManualClock
from tests.support.message_samples import final, progress


@pytest.fixture
def spool(tmp_path):
    """Both shared folders."""
    for name in ("requests", "status"):
        (tmp_path / name).mkdir()
    return tmp_path


def client_of(spool, clock=None):
    """A client of the shared folders."""
    return Client(spool / "requests", spool / "status", clock or ManualClock())


@pytest.mark.parametrize(
    ("action", "version"), [(Action.UPDATE, "v1.2.3"), (Action.ROLLBACK, None), (Action.HEALTH, None)]
)
def test_client_submits_a_valid_request(spool, action, version):
    """The written file carries the returned id and is a valid request with the given arguments."""
    request_id = client_of(spool).submit("core", action, version)
    assert listing(spool / "requests") == [f"{request_id}.json"]
    request = decode_request((spool / "requests" / f"{request_id}.json").read_bytes(), request_id)
    assert (request.component, request.action, request.version) == ("core", action, version)
    assert request.timestamp == START


def test_client_generates_unique_request_ids(spool):
    """Ids are UUIDs: two requests never share one."""
    first, second = (client_of(spool).submit("core", Action.HEALTH) for _ in range(2))
    assert uuid.UUID(first) != uuid.UUID(second)


def test_client_writes_a_request_atomically(spool, monkeypatch):
    """No file has the request's name before the request is complete (I5)."""
    seen = []
    fsync = os.fsync

    def record_and_sync(descriptor):
        seen.append([name for name in listing(spool / "requests") if name.endswith(".json")])
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record_and_sync)
    request_id = client_of(spool).submit("core", Action.HEALTH)
    assert seen == [[], [f"{request_id}.json"]]


def test_client_reports_a_missing_folder_with_the_remedy(spool):
    """If the shared folder is not mounted, the message says so."""
    (spool / "requests").rmdir()
    with pytest.raises(SpoolUnavailableError, match=r"requests does not exist; is the shared volume mounted"):
        client_of(spool).submit("core", Action.HEALTH)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.EROFS, "make it writable for this user"),
        (errno.EACCES, "make it writable for this user"),
        (errno.ENOSPC, "free space on the host's disk"),
    ],
)
def test_client_reports_an_unwritable_folder_with_the_remedy(spool, monkeypatch, code, remedy):
    """If the folder is read-only, forbidden or full, the message names the cause and the remedy."""

    def fail(*_arguments, **_options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(client_module, "write_atomic", fail)
    with pytest.raises(SpoolUnavailableError, match=rf"requests: {os.strerror(code)}; {remedy}"):
        client_of(spool).submit("core", Action.HEALTH)


@pytest.mark.parametrize(("component", "version"), [("", None), ("a\udcff", None), ("core", "1.2.3\udcff")])
def test_client_rejects_arguments_that_no_request_can_hold(spool, component, version):
    """Arguments that cannot be encoded raise a protocol error, and nothing is written."""
    with pytest.raises(ProtocolError, match=r"^cannot write the request"):
        client_of(spool).submit(component, Action.UPDATE, version)
    assert listing(spool / "requests") == []


def test_client_uses_a_given_request_id(spool):
    """A caller that must find the answer after a crash stores the id before it submits."""
    assert client_of(spool).submit("core", Action.HEALTH, request_id="id-1") == "id-1"
    assert listing(spool / "requests") == ["id-1.json"]


def test_expect_writable_writes_nothing(spool):
    """A writable folder stays unchanged."""
    client_of(spool).expect_writable()
    assert listing(spool / "requests") == []


@pytest.mark.parametrize(
    ("break_folder", "error"),
    [
        (lambda folder, _: folder.rmdir(), SpoolMissingError),
        (lambda folder, _: (folder.rmdir(), folder.touch(mode=0o755)), SpoolMissingError),
        (lambda _, monkeypatch: monkeypatch.setattr(os, "access", lambda *_: False), SpoolNotWritableError),
    ],
)
def test_expect_writable_raises_the_error_of_a_failing_submit(spool, monkeypatch, break_folder, error):
    """The folder is missing, is not a folder, or is not writable by this user."""
    break_folder(spool / "requests", monkeypatch)
    with pytest.raises(error):
        client_of(spool).expect_writable()


def test_client_withdraws_a_pending_request(spool):
    """The first withdrawal removes the request; a second one finds nothing to withdraw."""
    client = client_of(spool)
    request_id = client.submit("core", Action.HEALTH)
    assert client.is_pending(request_id)
    assert client.withdraw(request_id)
    assert not client.is_pending(request_id)
    assert not client.withdraw(request_id)
    assert listing(spool / "requests") == []


def test_wait_for_status_returns_an_existing_answer_at_once(spool):
    """An existing answer is returned without a pause and stays until it is discarded."""
    Outbox(spool / "status").publish(final())
    clock = ManualClock()
    assert client_of(spool, clock).wait_for_status("r1", timeout_s=0) == final()
    assert clock.sleeps == 0
    assert (spool / "status" / "r1.json").exists()


def test_wait_for_status_returns_an_answer_when_it_appears(spool):
    """The client polls until the answer appears."""
    clock = ManualClock(lambda count: Outbox(spool / "status").publish(final()) if count == 3 else None)
    assert client_of(spool, clock).wait_for_status("r1", timeout_s=60, poll_s=1) == final()
    assert clock.slept == 3


@pytest.mark.parametrize(("timeout_s", "slept"), [(0, 0), (1, 1), (2.5, 3)])
def test_wait_for_status_times_out(spool, timeout_s, slept):
    """Without an answer the call ends after the given time and asks whether the coordinator is running."""
    clock = ManualClock()
    with pytest.raises(StatusTimeoutError, match=f"no answer within {timeout_s:g} s; is the coordinator running"):
        client_of(spool, clock).wait_for_status("r1", timeout_s=timeout_s, poll_s=1)
    assert clock.slept == slept


def test_wait_for_status_returns_an_answer_from_the_last_pause(spool):
    """An answer that appears during the last pause is returned."""
    clock = ManualClock(lambda count: Outbox(spool / "status").publish(final()) if count == 5 else None)
    assert client_of(spool, clock).wait_for_status("r1", timeout_s=5, poll_s=1) == final()


def test_wait_for_status_ignores_other_requests(spool):
    """Answers and progress of other requests are ignored."""
    Outbox(spool / "status").publish(final("r2"))
    Outbox(spool / "status").publish_progress(progress("r2"))
    with pytest.raises(StatusTimeoutError):
        client_of(spool).wait_for_status(
            "r1", timeout_s=1, on_progress=lambda _: pytest.fail("progress of another request")
        )


@pytest.mark.parametrize(
    ("published", "expected"),
    [([0, 1, 2], [0, 1, 2]), ([0, 0, 0], [0]), ([3, 1, 4, 2], [3, 4]), ([None, 5, None, 6], [5, 6]), ([], [])],
)
def test_wait_for_status_reports_progress_in_rising_order(spool, published, expected):
    """Each progress is reported once, by rising seq; an older one is never reported after a newer one."""
    outbox = Outbox(spool / "status")

    def publish_next(count):
        if count > len(published):
            outbox.publish(final())
        elif published[count - 1] is None:
            outbox.clear("r1")
        else:
            outbox.publish_progress(progress(seq=published[count - 1]))

    seen = []
    client_of(spool, ManualClock(publish_next)).wait_for_status(
        "r1", timeout_s=60, on_progress=lambda p: seen.append(p.seq)
    )
    assert seen == expected


def test_wait_for_status_skips_unreadable_progress(spool):
    """Unreadable progress does not end the call."""
    (spool / "status" / "r1.progress.json").write_bytes(b"{")
    clock = ManualClock(lambda _: Outbox(spool / "status").publish(final()))
    seen = []
    assert client_of(spool, clock).wait_for_status("r1", timeout_s=9, on_progress=seen.append) == final()
    assert seen == []


def test_discard_removes_the_answer(spool):
    """Discarding deletes the answer; a second call is no error."""
    Outbox(spool / "status").publish(final())
    client_of(spool).discard("r1")
    client_of(spool).discard("r1")
    assert listing(spool / "status") == []
