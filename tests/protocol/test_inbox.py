"""The folder that somebody else, possibly hostile, writes."""

import errno
import os
import shutil
import socket
import stat
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from protocol import inbox as inbox_module
from protocol.inbox import (
    Entry,
    FileInUseError,
    HardLinkError,
    Inbox,
    NotARequestFileError,
    TooLargeError,
)
from tests.support.filesystem import open_descriptors

LIMIT = 1024
SECOND = 1_000_000_000


@pytest.fixture
def inbox(tmp_path):
    """An empty ``requests/``."""
    folder = tmp_path / "requests"
    folder.mkdir()
    return Inbox(folder, LIMIT)


@pytest.fixture
def precious(tmp_path):
    """A file outside the folder that must stay as it is."""
    path = tmp_path / "precious"
    path.write_bytes(b"precious")
    return path


def bind(path):
    """Leave a socket at ``path``."""
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's address must be short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def make_zero_device(path):
    """Leave a second /dev/zero at ``path``."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


def make_full_directory(path, precious):
    """Leave a folder with a file, a folder and a link out of it at ``path``."""
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "link").symlink_to(precious.parent)
    (path / "file").write_bytes(b"x")


MAKERS = {
    "file": lambda path, _: path.write_bytes(b"{}"),
    "symlink": lambda path, precious: path.symlink_to(precious),
    "dangling link": lambda path, precious: path.symlink_to(precious.with_name("nowhere")),
    "link to directory": lambda path, precious: path.symlink_to(precious.parent),
    "link to itself": lambda path, _: path.symlink_to(path),
    "FIFO": lambda path, _: os.mkfifo(path),
    "socket": lambda path, _: bind(path),
    "directory": lambda path, _: path.mkdir(),
    "full directory": make_full_directory,
    "hard link": lambda path, precious: path.hardlink_to(precious),
    "device": lambda path, _: make_zero_device(path),
}


def place(inbox, kind, precious, name="r1.json"):
    """Put something into the folder under a request's name, and return its path."""
    path = inbox.directory / name
    MAKERS[kind](path, precious)
    return path


LINKS = ["symlink", "dangling link", "link to directory", "link to itself"]
KINDS = [kind for kind in MAKERS if kind != "file"]


def none_known(stems):
    """No stem is in the journal."""
    return ()


def names(entries):
    """The names alone."""
    return [entry.name for entry in entries]


def fill(inbox, stamps):
    """Request files with the given seconds as their stamps."""
    for name, second in stamps.items():
        path = inbox.directory / name
        path.write_bytes(b"{}")
        os.utime(path, ns=(second * SECOND, second * SECOND))


def test_a_plain_file_is_read(inbox):
    """A plain file that nobody writes is read whole."""
    (inbox.directory / "r1.json").write_bytes(b'{"a": 1}')
    assert inbox.read("r1.json") == b'{"a": 1}'


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        *((kind, "a symbolic link") for kind in LINKS),
        ("FIFO", "a FIFO"),
        ("socket", "a socket"),
        ("directory", "a directory"),
        ("full directory", "a directory"),
        ("hard link", "a hard link"),
        ("device", "a character device"),
    ],
)
def test_what_is_no_plain_file_is_refused(inbox, precious, kind, said):
    """A link, pipe, socket, folder or device is refused by its kind, at once, and never followed."""
    place(inbox, kind, precious)
    with pytest.raises(NotARequestFileError, match=f"^cannot accept the request: it is {said}"):
        inbox.read("r1.json")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_file_is_not_even_opened(inbox, precious, monkeypatch, kind):
    """Nothing but a plain file is opened: opening alone may have an effect."""
    place(inbox, kind, precious)
    opened = []
    monkeypatch.setattr(os, "open", lambda *arguments: opened.append(arguments))
    with pytest.raises(NotARequestFileError):
        inbox.read("r1.json")
    assert opened == []


@pytest.mark.parametrize("kind", ["symlink", "FIFO", "directory", "hard link"])
def test_a_file_swapped_before_it_is_opened_is_not_read(inbox, precious, monkeypatch, kind):
    """A plain file that is swapped for something else between the look and the opening is not read either."""
    path = inbox.directory / "r1.json"
    path.write_bytes(b"{}")
    system_open = os.open

    def swap_and_open(*arguments):
        path.unlink()
        place(inbox, kind, precious)
        return system_open(*arguments)

    monkeypatch.setattr(os, "open", swap_and_open)
    with pytest.raises((NotARequestFileError, OSError)):
        inbox.read("r1.json")


def test_a_hard_link_may_be_a_moment_of_its_making(inbox, precious):
    """A second name is told apart from the other kinds: a client may be linking its request into place."""
    place(inbox, "hard link", precious)
    with pytest.raises(HardLinkError):
        inbox.read("r1.json")
    precious.unlink()
    assert inbox.read("r1.json") == b"precious"


def test_the_limit_is_the_last_size_that_is_read(inbox):
    """A file of exactly the limit is read, one byte more is too large, and the limit is named."""
    path = inbox.directory / "r1.json"
    path.write_bytes(b" " * LIMIT)
    assert len(inbox.read("r1.json")) == LIMIT
    path.write_bytes(b" " * (LIMIT + 1))
    with pytest.raises(TooLargeError, match=r"more than 1024 bytes \(limits.request_bytes\)"):
        inbox.read("r1.json")


def test_a_huge_file_is_not_read(inbox, monkeypatch):
    """Of a file of any size no more than one byte above the limit is read (I12)."""
    with (inbox.directory / "r1.json").open("wb") as file:
        file.truncate(1 << 40)
    asked = []
    read = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, count: asked.append(count) or read(descriptor, count))
    with pytest.raises(TooLargeError):
        inbox.read("r1.json")
    assert asked == [LIMIT + 1]


@pytest.mark.parametrize("mode", ["wb", "ab", "r+b"])
def test_a_file_open_for_writing_here_is_not_judged(inbox, mode):
    """A file that is open for writing is not read (I5); once closed, it is."""
    path = inbox.directory / "r1.json"
    path.write_bytes(b"{}")
    with path.open(mode) as file:
        with pytest.raises(FileInUseError):
            inbox.read("r1.json")
        file.write(b"{}")
    assert inbox.read("r1.json").startswith(b"{}")


def test_a_file_open_for_writing_elsewhere_is_not_judged(inbox):
    """A file that another process has open for writing is not read until that process is done (I5)."""
    path = inbox.directory / "r1.json"
    program = "import sys; f = open(sys.argv[1], 'w'); f.write('{}'); f.flush(); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(FileInUseError):
            inbox.read("r1.json")
        writer.communicate("done\n")
    assert inbox.read("r1.json") == b"{}"


def test_a_reader_does_not_delay_a_request(inbox):
    """A file that somebody only reads is read."""
    path = inbox.directory / "r1.json"
    path.write_bytes(b"{}")
    with path.open("rb"):
        assert inbox.read("r1.json") == b"{}"


def test_no_lease_is_kept(inbox):
    """After reading, nobody who opens the file for writing is held up."""
    path = inbox.directory / "r1.json"
    path.write_bytes(b"{}")
    inbox.read("r1.json")
    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))  # would fail with EWOULDBLOCK under a lease


def test_without_leases_a_file_is_read(inbox, monkeypatch):
    """Where the file system knows no leases, a file is read: its rest is judged by the caller."""
    (inbox.directory / "r1.json").write_bytes(b"{}")

    def no_leases(*_arguments):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(inbox_module.fcntl, "fcntl", no_leases)
    assert inbox.read("r1.json") == b"{}"


def test_a_vanished_file_is_told(inbox):
    """A file that is gone is neither empty nor refused."""
    with pytest.raises(FileNotFoundError):
        inbox.read("r1.json")
    assert inbox.fingerprint("r1.json") is None


def test_reading_leaves_no_descriptor_open(inbox, precious):
    """However reading ends, no descriptor stays open (I12)."""
    (inbox.directory / "good.json").write_bytes(b"{}")
    (inbox.directory / "large.json").write_bytes(b" " * 2000)
    place(inbox, "hard link", precious, "hard.json")
    busy = (inbox.directory / "busy.json").open("wb")
    before = open_descriptors()
    for name in ("good", "large", "hard", "busy", "gone"):
        try:
            inbox.read(f"{name}.json")
        except (OSError, NotARequestFileError, TooLargeError, FileInUseError):
            continue
    assert open_descriptors() == before
    busy.close()


def test_a_fingerprint_changes_with_the_file(inbox):
    """Growing, being rewritten with an old stamp and being replaced all change the fingerprint; looking does not."""
    path = inbox.directory / "r1.json"
    path.write_bytes(b"{}")
    first = inbox.fingerprint("r1.json")
    assert inbox.fingerprint("r1.json") == first
    path.write_bytes(b"{} ")
    grown = inbox.fingerprint("r1.json")
    os.utime(path, ns=(first.modified_ns, first.modified_ns))
    (inbox.directory / "new").write_bytes(b"{}")
    (inbox.directory / "new").rename(path)
    assert len({first, grown, inbox.fingerprint("r1.json")}) == 3


def test_entries_come_oldest_first(inbox):
    """Request files are served in the order of their stamps; equal stamps by name."""
    fill(inbox, {"c.json": 1, "a.json": 3, "b.json": 2, "z.json": 2})
    assert names(inbox.oldest(10, after=None, known=none_known)) == ["c.json", "b.json", "z.json", "a.json"]


def test_only_request_names_count(inbox, precious):
    """Temporary files are left out; whatever else carries a request's name is in, for it must be answered."""
    fill(inbox, {"a.json": 1, "b.json.tmp": 1, ".c.tmp": 1, "d": 1})
    for kind in KINDS:
        place(inbox, kind, precious, f"{kind}.json")
    assert set(names(inbox.oldest(99, after=None, known=none_known))) == {"a.json", *(f"{kind}.json" for kind in KINDS)}


@pytest.mark.parametrize("width", [1, 2, 3, 7, 100])
def test_windows_cover_everything_once(inbox, width):
    """Window after window, every file is seen once and in order, also where stamps are equal."""
    fill(inbox, {f"{number:02}.json": number // 5 for number in range(23)})
    seen, after = [], None
    while window := inbox.oldest(width, after=after, known=none_known):
        assert len(window) <= width
        seen += window
        after = window[-1]
    assert names(seen) == [f"{number:02}.json" for number in range(23)]


def test_after_is_exclusive(inbox):
    """A window begins behind the entry it is given, even where that file is gone by now."""
    fill(inbox, {"a.json": 1, "c.json": 2})
    assert names(inbox.oldest(9, after=Entry(1 * SECOND, "b.json"), known=none_known)) == ["c.json"]
    assert names(inbox.oldest(9, after=Entry(2 * SECOND, "c.json"), known=none_known)) == []


def test_known_stems_are_left_out(inbox):
    """A request the journal knows is not handed out again, and takes no place in a window."""
    fill(inbox, {"a.json": 1, "b.json": 2, "c.json": 3})
    assert names(inbox.oldest(1, after=None, known={"a", "b"}.intersection)) == ["c.json"]


def test_a_full_folder_fits_into_little_memory(inbox, monkeypatch):
    """Of any number of files about ``count`` entries live at a time, and stems are asked for in portions (I12)."""
    fill(inbox, {f"{number}.json": 2000 - number for number in range(1500)})
    alive, most, portions = weakref.WeakSet(), 0, []

    def counted(*arguments):
        nonlocal most
        entry = Entry(*arguments)
        alive.add(entry)
        most = max(most, len(alive))
        return entry

    monkeypatch.setattr(inbox_module, "Entry", counted)
    found = inbox.oldest(10, after=None, known=lambda stems: portions.append(len(stems)) or ())
    assert len(found) == 10
    assert most <= 13
    assert sum(portions) == 1500
    assert max(portions) <= 256


def test_a_file_that_vanishes_while_listing_is_skipped(inbox):
    """A file that is taken away between listing and looking is nobody's to answer."""
    fill(inbox, {"a.json": 1, "b.json": 2})

    def take_away(stems):
        (inbox.directory / "a.json").unlink()
        return ()

    assert names(inbox.oldest(9, after=None, known=take_away)) == ["b.json"]


def test_an_empty_folder_asks_nobody(inbox):
    """Where nothing is, the journal is not asked."""
    assert inbox.oldest(9, after=None, known=lambda stems: pytest.fail("asked")) == []


def test_a_missing_folder_is_told(tmp_path):
    """A folder that is gone is an error, not an empty one."""
    with pytest.raises(FileNotFoundError):
        Inbox(tmp_path / "gone", LIMIT).oldest(9, after=None, known=none_known)


@pytest.mark.parametrize("kind", ["file", *KINDS])
def test_anything_can_be_removed(inbox, precious, kind):
    """Whatever carries a request's name can be removed; what it led to is left alone."""
    path = place(inbox, kind, precious)
    inbox.remove("r1.json")
    assert not os.path.lexists(path)
    assert precious.read_bytes() == b"precious"
    assert inbox.directory.is_dir()


def test_removing_what_is_gone_is_done(inbox):
    """A request that somebody else removed already needs no removing."""
    inbox.remove("r1.json")


def test_only_the_file_that_was_seen_is_removed(inbox):
    """One that took its place since, or came where none was, stays; one that is gone is out."""
    path = inbox.directory / "r1.json"
    path.write_bytes(b"{}")
    seen = inbox.fingerprint("r1.json")
    (inbox.directory / "new").write_bytes(b"{}")
    (inbox.directory / "new").rename(path)
    assert inbox.remove_unchanged("r1.json", seen) is False
    assert inbox.remove_unchanged("r1.json", None) is False
    assert path.exists()
    assert inbox.remove_unchanged("r1.json", inbox.fingerprint("r1.json")) is True
    assert not path.exists()
    assert inbox.remove_unchanged("r1.json", seen) is True


def test_a_folder_that_forbids_removing_is_told(inbox, monkeypatch):
    """A request that cannot be removed is an error, so that it is tried again."""
    path = inbox.directory / "r1.json"
    path.write_bytes(b"{}")

    def forbidden(*_arguments, **_options):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "unlink", forbidden)
    with pytest.raises(PermissionError):
        inbox.remove("r1.json")
    assert path.exists()


@pytest.fixture
def across_devices(monkeypatch):
    """Renaming fails as it does between two file systems."""

    def elsewhere(*_arguments, **_options):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "rename", elsewhere)


@pytest.mark.parametrize("kind", ["file", *KINDS])
def test_quarantine_moves_anything(inbox, precious, tmp_path, kind):
    """What cannot be answered is moved as it is, into a folder that only the host enters."""
    folder = tmp_path / "state" / "quarantine"
    path = place(inbox, kind, precious)
    before = path.lstat().st_ino
    inbox.quarantine("r1.json", folder, "label")
    assert not os.path.lexists(path)
    assert (folder / "label").lstat().st_ino == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert precious.read_bytes() == b"precious"


@pytest.mark.usefixtures("across_devices")
@pytest.mark.parametrize("kind", ["file", *KINDS])
def test_quarantine_across_file_systems_keeps_content_only(inbox, precious, tmp_path, kind):
    """Across file systems a plain file's content is kept; links, pipes and devices just go, unopened."""
    path = place(inbox, kind, precious)
    inbox.quarantine("r1.json", tmp_path / "kept", "label")
    assert not os.path.lexists(path)
    kept = {"file": [b"{}"], "hard link": [b"precious"]}.get(kind, [])
    assert [file.read_bytes() for file in (tmp_path / "kept").iterdir()] == kept
    assert precious.read_bytes() == b"precious"


@pytest.mark.usefixtures("across_devices")
def test_quarantine_across_file_systems_is_bounded(inbox, tmp_path):
    """No more than the limit is copied of a file of any size."""
    (inbox.directory / "r1.json").write_bytes(b"x" * 5000)
    inbox.quarantine("r1.json", tmp_path / "kept", "label")
    assert (tmp_path / "kept" / "label").stat().st_size == LIMIT


def test_quarantine_of_a_vanished_file_is_done(inbox, tmp_path):
    """What is gone needs no quarantine."""
    inbox.quarantine("r1.json", tmp_path / "kept", "label")
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_quarantine_that_fails_leaves_the_file(inbox, tmp_path, monkeypatch):
    """When the quarantine is full, the file stays where it was, to be tried again."""
    path = inbox.directory / "r1.json"
    path.write_bytes(b"{}")

    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OSError, match="No space"):
        inbox.quarantine("r1.json", tmp_path / "kept", "label")
    assert path.read_bytes() == b"{}"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_quarantine_crosses_real_file_systems(tmp_path):
    """Between two real file systems a file's content arrives, too."""
    folder = Path("/dev/shm") / f"coordinator-test-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / "r1.json").write_bytes(b"{}")
        Inbox(folder, LIMIT).quarantine("r1.json", tmp_path / "kept", "label")
        assert list(folder.iterdir()) == []
    finally:
        shutil.rmtree(folder)
    assert (tmp_path / "kept" / "label").read_bytes() == b"{}"
