"""The folder of statuses, as the host writes it and the container, possibly hostile, shares it."""

import json
import os
import stat

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
def precious(tmp_path):
    """A folder outside with a file that must stay as it is."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "file").write_bytes(b"precious")
    return folder


def occupy(path, kind, precious):
    """Put what a stranger could into the place of one of our files."""
    match kind:
        case "directory":
            path.mkdir()
        case "full directory":
            (path / "deep").mkdir(parents=True)
            (path / "deep" / "link").symlink_to(precious)
        case "symlink":
            path.symlink_to(precious / "file")
        case "link to directory":
            path.symlink_to(precious)
        case "dangling link":
            path.symlink_to(precious / "nowhere")
        case "FIFO":
            os.mkfifo(path)


STRANGERS = ["directory", "full directory", "symlink", "link to directory", "dangling link", "FIFO"]
GARBAGE = [b"", b"{", b"null", b"[]", b"{}", b"\xff\xfe", b"\x00" * 4096, b"[" * 100_000]


def test_a_published_status_is_read_back(outbox):
    """What was published is what is read."""
    outbox.publish(final())
    assert outbox.read("r1") == final()


def test_a_status_is_readable_by_the_container(outbox):
    """A status is a plain JSON file that everybody may read, and nothing else is left in the folder."""
    outbox.publish(final())
    assert listing(outbox.directory) == ["r1.json"]
    path = outbox.directory / "r1.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert json.loads(path.read_bytes())["state"] == "rolled_back"


def test_a_published_status_never_changes(outbox):
    """A second answer to the same request does not touch the first (I1)."""
    outbox.publish(final())
    before = (outbox.directory / "r1.json").stat()
    outbox.publish(final(message="something else"))
    after = (outbox.directory / "r1.json").stat()
    assert outbox.read("r1") == final()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("kind", STRANGERS)
def test_what_a_stranger_placed_at_a_final_status_gives_way(outbox, precious, kind):
    """A folder, link or pipe in a final status' place is replaced by the answer, and never followed."""
    occupy(outbox.directory / "r1.json", kind, precious)
    outbox.publish(final())
    assert outbox.read("r1") == final()
    assert not (outbox.directory / "r1.json").is_symlink()
    assert listing(precious) == ["file"]
    assert (precious / "file").read_bytes() == b"precious"


@pytest.mark.parametrize("kind", STRANGERS)
@pytest.mark.parametrize("read", [Outbox.read, Outbox.read_progress])
def test_what_a_stranger_placed_is_no_message(outbox, precious, kind, read):
    """A folder, link or pipe in a message's place is no message, blocks nobody and costs no descriptor (I12)."""
    for name in ("r1.json", "r1.progress.json"):
        occupy(outbox.directory / name, kind, precious)
    before = open_descriptors()
    assert read(outbox, "r1") is None
    assert open_descriptors() == before


def test_a_link_to_a_message_is_no_message(outbox, precious):
    """Even a link to a whole and valid message is not followed."""
    (precious / "file").write_text(final().model_dump_json())
    (outbox.directory / "r1.json").symlink_to(precious / "file")
    assert outbox.read("r1") is None


def test_a_silent_writer_on_a_pipe_blocks_nobody(outbox):
    """A pipe that somebody holds open without writing is no message either."""
    path = outbox.directory / "r1.json"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    assert outbox.read("r1") is None
    os.close(writer)


@pytest.mark.parametrize("content", GARBAGE)
@pytest.mark.parametrize("read", [Outbox.read, Outbox.read_progress])
def test_garbage_is_no_message(outbox, content, read):
    """What cannot be read as a message is none."""
    (outbox.directory / "r1.json").write_bytes(content)
    (outbox.directory / "r1.progress.json").write_bytes(content)
    assert read(outbox, "r1") is None


def test_nothing_there_is_no_message(outbox):
    """Before anything was written there is neither progress nor an answer."""
    assert outbox.read("r1") is None
    assert outbox.read_progress("r1") is None


def test_progress_is_replaced(outbox):
    """The latest progress stands, whole, under the one name."""
    outbox.publish_progress(progress(seq=0))
    outbox.publish_progress(progress(seq=1, percent=40))
    assert outbox.read_progress("r1") == progress(seq=1, percent=40)
    assert listing(outbox.directory) == ["r1.progress.json"]


@pytest.mark.parametrize("kind", STRANGERS)
def test_what_a_stranger_placed_at_progress_gives_way(outbox, precious, kind):
    """A folder, link or pipe in a progress' place neither stops the progress nor is followed."""
    occupy(outbox.directory / "r1.progress.json", kind, precious)
    outbox.publish_progress(progress())
    assert outbox.read_progress("r1") == progress()
    assert (precious / "file").read_bytes() == b"precious"


@pytest.mark.parametrize("kind", STRANGERS)
def test_what_a_stranger_placed_at_a_temporary_name_gives_way(outbox, precious, kind):
    """A folder, link or pipe in a temporary file's place does not stop an answer."""
    occupy(outbox.directory / ".r1.json.tmp", kind, precious)
    outbox.publish(final())
    assert outbox.read("r1") == final()
    assert (precious / "file").read_bytes() == b"precious"


def test_progress_without_output_is_read_as_that(outbox):
    """An earlier release may have written it."""
    plain = progress().model_dump_json(exclude={"output", "error"})
    (outbox.directory / "r1.progress.json").write_text(plain)
    assert outbox.read_progress("r1") == progress(output="", error="")


def test_progress_is_cleared(outbox):
    """Progress goes when the answer is there; the answer stays."""
    outbox.publish_progress(progress())
    outbox.publish(final())
    outbox.clear("r1")
    assert listing(outbox.directory) == ["r1.json"]


@pytest.mark.parametrize("kind", [None, *STRANGERS])
def test_whatever_is_in_progress_place_is_cleared(outbox, precious, kind):
    """Clearing ends with nothing under the name, whatever was there or not."""
    occupy(outbox.directory / "r1.progress.json", kind, precious)
    outbox.clear("r1")
    assert listing(outbox.directory) == []
    assert (precious / "file").read_bytes() == b"precious"


def test_finals_are_the_answers_alone(outbox):
    """Progress, temporary files, the marker and unsafe names are no final statuses."""
    outbox.publish(final("r1"))
    outbox.publish(final("r2"))
    outbox.publish_progress(progress("r3"))
    outbox.write_marker()
    for name in (".r4.json.tmp", "-r5.json", "notes.txt"):
        (outbox.directory / name).write_bytes(b"")
    assert sorted(entry.name for entry in outbox.finals()) == ["r1.json", "r2.json"]


def test_a_sweep_leaves_what_counts(outbox):
    """Answers, and the progress of requests that are alive, stay; temporary files and other progress go."""
    outbox.publish(final("done"))
    for request_id in ("alive", "dead"):
        outbox.publish_progress(progress(request_id))
    (outbox.directory / ".done.json.tmp").write_bytes(b"{")
    (outbox.directory / ".alive.progress.json.tmp").write_bytes(b"{")
    outbox.write_marker()
    outbox.remove_stale({"alive"}.intersection)
    assert listing(outbox.directory) == [".coordinator", "alive.progress.json", "done.json"]


@pytest.mark.parametrize("character", ["\0", "\x1b", '"', "\ufffd", "x"])
def test_a_sweep_leaves_progress_with_the_longest_ends_there_can_be(outbox, character):
    """Whatever two times 4096 bytes hold, it is recognised as whole, and ``seq`` grows on."""
    longest = character * 4096
    outbox.publish_progress(progress("r" * 128, percent=100, output=longest, error=longest))
    outbox.remove_stale(lambda ids: ids)
    assert outbox.read_progress("r" * 128).output == longest


@pytest.mark.parametrize("content", [b"", b"{", b'{"seq": 1', b"\x00" * 4096, b'{"seq"\x00\x00}'])
def test_a_sweep_removes_torn_progress(outbox, content):
    """Progress that a power cut left unreadable goes, even where its request is alive."""
    (outbox.directory / "r1.progress.json").write_bytes(content)
    outbox.remove_stale(lambda _: {"r1"})
    assert listing(outbox.directory) == []


@pytest.mark.parametrize("name", ["r1.progress.json", ".r1.json.tmp"])
@pytest.mark.parametrize("kind", STRANGERS)
def test_a_sweep_passes_whatever_a_stranger_placed(outbox, precious, kind, name):
    """Nothing a container can place in status/ keeps a coordinator from starting."""
    occupy(outbox.directory / name, kind, precious)
    outbox.remove_stale(lambda _: {"r1"})
    assert listing(outbox.directory) == []
    assert (precious / "file").read_bytes() == b"precious"


def test_the_mark_stays(outbox):
    """A folder that a coordinator has worked in is known by it, once and for all (I13)."""
    assert not outbox.has_marker()
    outbox.write_marker()
    outbox.write_marker()
    assert outbox.has_marker()
