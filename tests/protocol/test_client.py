"""The asking side of the spool."""

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


def asking(spool, clock=None):
    """A client of the shared folders."""
    return Client(spool / "requests", spool / "status", clock or ManualClock())


@pytest.mark.parametrize(
    ("action", "version"), [(Action.UPDATE, "v1.2.3"), (Action.ROLLBACK, None), (Action.HEALTH, None)]
)
def test_a_submitted_request_is_one(spool, action, version):
    """The file that is written, under the id that is returned, is a valid request that says what was asked."""
    request_id = asking(spool).submit("core", action, version)
    assert listing(spool / "requests") == [f"{request_id}.json"]
    request = decode_request((spool / "requests" / f"{request_id}.json").read_bytes(), request_id)
    assert (request.component, request.action, request.version) == ("core", action, version)
    assert request.timestamp == START


def test_every_request_has_an_id_of_its_own(spool):
    """Ids are UUIDs: two requests never share one."""
    first, second = (asking(spool).submit("core", Action.HEALTH) for _ in range(2))
    assert uuid.UUID(first) != uuid.UUID(second)


def test_a_request_appears_whole(spool, monkeypatch):
    """Under the request's name nothing is seen before it is complete (I5)."""
    seen = []
    fsync = os.fsync

    def look_and_sync(descriptor):
        seen.append([name for name in listing(spool / "requests") if name.endswith(".json")])
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look_and_sync)
    request_id = asking(spool).submit("core", Action.HEALTH)
    assert seen == [[], [f"{request_id}.json"]]


def test_a_missing_folder_is_told_with_the_remedy(spool):
    """Where the shared folder is not mounted, the message says so."""
    (spool / "requests").rmdir()
    with pytest.raises(SpoolUnavailableError, match=r"requests does not exist; is the shared volume mounted"):
        asking(spool).submit("core", Action.HEALTH)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.EROFS, "let this user write there"),
        (errno.EACCES, "let this user write there"),
        (errno.ENOSPC, "free space on the host's disk"),
    ],
)
def test_a_folder_that_cannot_be_written_is_told_with_the_remedy(spool, monkeypatch, code, remedy):
    """Where the folder is read-only, forbidden or full, the message says which, and what to do."""

    def refuse(*_arguments, **_options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(client_module, "write_atomic", refuse)
    with pytest.raises(SpoolUnavailableError, match=rf"requests: {os.strerror(code)}; {remedy}"):
        asking(spool).submit("core", Action.HEALTH)


@pytest.mark.parametrize(("component", "version"), [("", None), ("a\udcff", None), ("core", "1.2.3\udcff")])
def test_what_cannot_be_written_is_told(spool, component, version):
    """Arguments that no request can hold are refused in words, and nothing is written."""
    with pytest.raises(ProtocolError, match=r"^cannot write the request"):
        asking(spool).submit(component, Action.UPDATE, version)
    assert listing(spool / "requests") == []


def test_the_id_may_be_known_beforehand(spool):
    """Whoever must find the answer after a crash writes the id down first."""
    assert asking(spool).submit("core", Action.HEALTH, request_id="id-1") == "id-1"
    assert listing(spool / "requests") == ["id-1.json"]


def test_whether_a_request_could_be_written_is_seen_without_writing_one(spool):
    """Where all is well nothing happens at all."""
    asking(spool).expect_writable()
    assert listing(spool / "requests") == []


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda folder, _: folder.rmdir(), SpoolMissingError),
        (lambda folder, _: (folder.rmdir(), folder.touch(mode=0o755)), SpoolMissingError),
        (lambda _, monkeypatch: monkeypatch.setattr(os, "access", lambda *_: False), SpoolNotWritableError),
    ],
)
def test_why_none_could_be_written_is_told_as_if_one_had_been(spool, monkeypatch, spoil, kind):
    """The folder is missing, is none, or is not ours to write."""
    spoil(spool / "requests", monkeypatch)
    with pytest.raises(kind):
        asking(spool).expect_writable()


def test_a_request_that_nobody_took_up_can_be_taken_back(spool):
    """Once; then it is gone."""
    client = asking(spool)
    request_id = client.submit("core", Action.HEALTH)
    assert client.is_pending(request_id)
    assert client.withdraw(request_id)
    assert not client.is_pending(request_id)
    assert not client.withdraw(request_id)
    assert listing(spool / "requests") == []


def test_an_answer_that_is_there_is_taken_at_once(spool):
    """An answer that is there already costs no waiting, and stays until it is discarded."""
    Outbox(spool / "status").publish(final())
    clock = ManualClock()
    assert asking(spool, clock).wait_for_status("r1", timeout_s=0) == final()
    assert clock.sleeps == 0
    assert (spool / "status" / "r1.json").exists()


def test_an_answer_is_waited_for(spool):
    """The answer is returned when it appears."""
    clock = ManualClock(lambda count: Outbox(spool / "status").publish(final()) if count == 3 else None)
    assert asking(spool, clock).wait_for_status("r1", timeout_s=60, poll_s=1) == final()
    assert clock.slept == 3


@pytest.mark.parametrize(("timeout_s", "slept"), [(0, 0), (1, 1), (2.5, 3)])
def test_waiting_ends(spool, timeout_s, slept):
    """Without an answer the waiting ends after the time given, with a question to the operator."""
    clock = ManualClock()
    with pytest.raises(StatusTimeoutError, match=f"no answer within {timeout_s:g} s; is the coordinator running"):
        asking(spool, clock).wait_for_status("r1", timeout_s=timeout_s, poll_s=1)
    assert clock.slept == slept


def test_an_answer_at_the_last_moment_counts(spool):
    """An answer that appears during the last pause is returned."""
    clock = ManualClock(lambda count: Outbox(spool / "status").publish(final()) if count == 5 else None)
    assert asking(spool, clock).wait_for_status("r1", timeout_s=5, poll_s=1) == final()


def test_somebody_elses_answer_is_none(spool):
    """Answers and progress of other requests are not taken."""
    Outbox(spool / "status").publish(final("r2"))
    Outbox(spool / "status").publish_progress(progress("r2"))
    with pytest.raises(StatusTimeoutError):
        asking(spool).wait_for_status("r1", timeout_s=1, on_progress=lambda _: pytest.fail("not ours"))


@pytest.mark.parametrize(
    ("reported", "told"),
    [([0, 1, 2], [0, 1, 2]), ([0, 0, 0], [0]), ([3, 1, 4, 2], [3, 4]), ([None, 5, None, 6], [5, 6]), ([], [])],
)
def test_progress_is_told_in_rising_order(spool, reported, told):
    """Each progress is told once, in rising seq; an older one is not told after a newer."""
    outbox = Outbox(spool / "status")

    def world(count):
        if count > len(reported):
            outbox.publish(final())
        elif reported[count - 1] is None:
            outbox.clear("r1")
        else:
            outbox.publish_progress(progress(seq=reported[count - 1]))

    seen = []
    asking(spool, ManualClock(world)).wait_for_status("r1", timeout_s=60, on_progress=lambda p: seen.append(p.seq))
    assert seen == told


def test_unreadable_progress_is_passed_over(spool):
    """Progress that cannot be read does not end the waiting."""
    (spool / "status" / "r1.progress.json").write_bytes(b"{")
    clock = ManualClock(lambda _: Outbox(spool / "status").publish(final()))
    seen = []
    assert asking(spool, clock).wait_for_status("r1", timeout_s=9, on_progress=seen.append) == final()
    assert seen == []


def test_a_taken_answer_is_discarded(spool):
    """Discarding deletes the answer; doing it twice is no error."""
    Outbox(spool / "status").publish(final())
    asking(spool).discard("r1")
    asking(spool).discard("r1")
    assert listing(spool / "status") == []
