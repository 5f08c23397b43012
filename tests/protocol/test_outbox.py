"""The outbox: the host writes statuses into a folder that it shares with an untrusted container."""

import json
import os
import stat
import subprocess

import pytest

from protocol.outbox import Outbox
from tests.support.filesystem import listing, open_descriptors
from tests.support.message_samples import final, progress


@pytest.fixture
def outbox(tmp_path):
    """An empty ``status/``."""
    folder = tmp_path / "status"
    folder.mkdir()
    return Outbox(folder)


@pytest.fixture
def outside_folder(tmp_path):
    """A folder outside ``status/`` with a file that must stay unchanged."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "file").write_bytes(b"precious")
    return folder


def plant(path, kind, outside_folder):
    """Create an item that an untrusted container can put in place of one of the host's files."""
    match kind:
        case "directory":
            path.mkdir()
        case "full directory":
            (path / "deep").mkdir(parents=True)
            (path / "deep" / "link").symlink_to(outside_folder)
        case "symlink":
            path.symlink_to(outside_folder / "file")
        case "link to directory":
            path.symlink_to(outside_folder)
        case "dangling link":
            path.symlink_to(outside_folder / "missing")
        case "FIFO":
            os.mkfifo(path)


PLANTED_KINDS = ["directory", "full directory", "symlink", "link to directory", "dangling link", "FIFO"]
MALFORMED = [b"", b"{", b"null", b"[]", b"{}", b"\xff\xfe", b"\x00" * 4096, b"[" * 100_000]


def test_outbox_reads_back_a_published_status(outbox):
    """The read status equals the published one."""
    outbox.publish(final())
    assert outbox.read("r1") == final()


def test_publish_makes_a_status_readable_by_the_container(outbox):
    """A status is a plain JSON file with mode 0644, and the folder holds no other file."""
    outbox.publish(final())
    assert listing(outbox.directory) == ["r1.json"]
    path = outbox.directory / "r1.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert json.loads(path.read_bytes())["state"] == "rolled_back"


def test_publish_never_changes_a_published_status(outbox):
    """A second answer to the same request leaves the first untouched (I1)."""
    outbox.publish(final())
    before = (outbox.directory / "r1.json").stat()
    outbox.publish(final(message="something else"))
    after = (outbox.directory / "r1.json").stat()
    assert outbox.read("r1") == final()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("kind", PLANTED_KINDS)
def test_publish_replaces_what_was_planted_at_the_final_status(outbox, outside_folder, kind):
    """A folder, link or FIFO in place of a final status is replaced by the answer and never followed."""
    plant(outbox.directory / "r1.json", kind, outside_folder)
    outbox.publish(final())
    assert outbox.read("r1") == final()
    assert not (outbox.directory / "r1.json").is_symlink()
    assert listing(outside_folder) == ["file"]
    assert (outside_folder / "file").read_bytes() == b"precious"


@pytest.mark.parametrize("kind", PLANTED_KINDS)
@pytest.mark.parametrize("read", [Outbox.read, Outbox.read_progress])
def test_read_ignores_what_was_planted_at_a_message(outbox, outside_folder, kind, read):
    """A folder, link or FIFO in place of a message reads as none, without blocking or leaking a descriptor (I12)."""
    for name in ("r1.json", "r1.progress.json"):
        plant(outbox.directory / name, kind, outside_folder)
    before = open_descriptors()
    assert read(outbox, "r1") is None
    assert open_descriptors() == before


def test_read_does_not_follow_a_link_to_a_message(outbox, outside_folder):
    """Even a link to a complete and valid message is not followed."""
    (outside_folder / "file").write_text(final().model_dump_json())
    (outbox.directory / "r1.json").symlink_to(outside_folder / "file")
    assert outbox.read("r1") is None


def test_read_does_not_block_on_a_fifo_with_a_silent_writer(outbox):
    """A FIFO that a process holds open without writing is no message."""
    path = outbox.directory / "r1.json"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    assert outbox.read("r1") is None
    os.close(writer)


@pytest.mark.parametrize("content", MALFORMED)
@pytest.mark.parametrize("read", [Outbox.read, Outbox.read_progress])
def test_read_ignores_malformed_content(outbox, content, read):
    """Malformed content reads as no message."""
    (outbox.directory / "r1.json").write_bytes(content)
    (outbox.directory / "r1.progress.json").write_bytes(content)
    assert read(outbox, "r1") is None


def test_read_returns_none_without_a_file(outbox):
    """Without files there is neither progress nor an answer."""
    assert outbox.read("r1") is None
    assert outbox.read_progress("r1") is None


def test_publish_progress_replaces_the_earlier_one(outbox):
    """The latest progress is complete and is the only file."""
    outbox.publish_progress(progress(seq=0))
    outbox.publish_progress(progress(seq=1, percent=40))
    assert outbox.read_progress("r1") == progress(seq=1, percent=40)
    assert listing(outbox.directory) == ["r1.progress.json"]


@pytest.mark.parametrize("kind", PLANTED_KINDS)
def test_publish_progress_replaces_what_was_planted_there(outbox, outside_folder, kind):
    """A folder, link or FIFO in place of a progress does not prevent it and is never followed."""
    plant(outbox.directory / "r1.progress.json", kind, outside_folder)
    outbox.publish_progress(progress())
    assert outbox.read_progress("r1") == progress()
    assert (outside_folder / "file").read_bytes() == b"precious"


@pytest.mark.parametrize("kind", PLANTED_KINDS)
def test_publish_replaces_what_was_planted_at_the_temporary_name(outbox, outside_folder, kind):
    """A folder, link or FIFO in place of the temporary file does not prevent an answer."""
    plant(outbox.directory / ".r1.json.tmp", kind, outside_folder)
    outbox.publish(final())
    assert outbox.read("r1") == final()
    assert (outside_folder / "file").read_bytes() == b"precious"


def test_read_progress_accepts_a_progress_without_output(outbox):
    """An earlier release writes progress without output."""
    plain = progress().model_dump_json(exclude={"output", "error"})
    (outbox.directory / "r1.progress.json").write_text(plain)
    assert outbox.read_progress("r1") == progress(output="", error="")


def test_clear_removes_progress_and_keeps_the_answer(outbox):
    """Progress is removed once the answer is published."""
    outbox.publish_progress(progress())
    outbox.publish(final())
    outbox.clear("r1")
    assert listing(outbox.directory) == ["r1.json"]


@pytest.mark.parametrize("kind", [None, *PLANTED_KINDS])
def test_clear_removes_what_was_planted_at_progress(outbox, outside_folder, kind):
    """After the call no item has the progress' name, for every kind of item before."""
    plant(outbox.directory / "r1.progress.json", kind, outside_folder)
    outbox.clear("r1")
    assert listing(outbox.directory) == []
    assert (outside_folder / "file").read_bytes() == b"precious"


def test_finals_lists_final_statuses_only(outbox):
    """Progress, temporary files, the marker and unsafe names are no final statuses."""
    outbox.publish(final("r1"))
    outbox.publish(final("r2"))
    outbox.publish_progress(progress("r3"))
    outbox.write_marker()
    for name in (".r4.json.tmp", "-r5.json", "notes.txt"):
        (outbox.directory / name).write_bytes(b"")
    assert sorted(entry.name for entry in outbox.finals()) == ["r1.json", "r2.json"]


def test_remove_stale_keeps_answers_and_progress_of_open_requests(outbox):
    """Answers and the progress of open requests stay; temporary files and other progress are removed."""
    outbox.publish(final("done"))
    for request_id in ("open", "settled"):
        outbox.publish_progress(progress(request_id))
    (outbox.directory / ".done.json.tmp").write_bytes(b"{")
    (outbox.directory / ".open.progress.json.tmp").write_bytes(b"{")
    outbox.write_marker()
    outbox.remove_stale({"open"}.intersection)
    assert listing(outbox.directory) == [".coordinator", "done.json", "open.progress.json"]


@pytest.mark.parametrize("character", ["\0", "\x1b", '"', "\ufffd", "x"])
def test_remove_stale_keeps_progress_of_the_maximum_size(outbox, character):
    """Progress with two outputs of 4096 arbitrary characters counts as complete, so ``seq`` continues to rise."""
    longest = character * 4096
    outbox.publish_progress(progress("r" * 128, percent=100, output=longest, error=longest))
    outbox.remove_stale(lambda ids: ids)
    assert outbox.read_progress("r" * 128).output == longest


@pytest.mark.parametrize("content", [b"", b"{", b'{"seq": 1', b"\x00" * 4096, b'{"seq"\x00\x00}'])
def test_remove_stale_removes_torn_progress(outbox, content):
    """Progress that a power cut left unreadable is removed, even if its request is open."""
    (outbox.directory / "r1.progress.json").write_bytes(content)
    outbox.remove_stale(lambda _: {"r1"})
    assert listing(outbox.directory) == []


@pytest.mark.parametrize("name", ["r1.progress.json", ".r1.json.tmp"])
@pytest.mark.parametrize("kind", PLANTED_KINDS)
def test_remove_stale_removes_what_was_planted(outbox, outside_folder, kind, name):
    """Nothing that a container can place in status/ prevents the coordinator from starting."""
    plant(outbox.directory / name, kind, outside_folder)
    outbox.remove_stale(lambda _: {"r1"})
    assert listing(outbox.directory) == []
    assert (outside_folder / "file").read_bytes() == b"precious"


def test_remove_stale_continues_after_a_file_that_cannot_be_removed(outbox):
    """A folder that is nested deeper than Python recurses neither ends a start nor stops the others (I16)."""
    deep = outbox.directory / "deep.tmp"
    deep.mkdir()
    descriptor = os.open(deep, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    for name in ("a.tmp", "z.tmp", "r1.progress.json"):
        (outbox.directory / name).write_bytes(b"")
    failed = outbox.remove_stale(lambda _: ())
    assert (list(failed), listing(outbox.directory)) == (["deep.tmp"], ["deep.tmp"])
    subprocess.run(["rm", "-rf", str(deep)], check=True)  # pytest cannot remove it either


def test_marker_is_permanent(outbox):
    """The marker of a folder that a coordinator has used stays for ever (I13)."""
    assert not outbox.has_marker()
    outbox.write_marker()
    outbox.write_marker()
    assert outbox.has_marker()
