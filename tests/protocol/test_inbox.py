"""The inbox: a folder that an untrusted container writes."""

import errno
import os
import shutil
import socket
import stat
import subprocess
import sys
import weakref
from contextlib import contextmanager
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
def outside_file(tmp_path):
    """A file outside the folder that must stay unchanged."""
    path = tmp_path / "precious"
    path.write_bytes(b"precious")
    return path


def bind(path):
    """Create a socket at ``path``."""
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def make_zero_device(path):
    """Create a second /dev/zero at ``path``."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


def make_full_directory(path, outside_file):
    """Create a folder at ``path`` with a file, a folder and a link that leaves it."""
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "link").symlink_to(outside_file.parent)
    (path / "file").write_bytes(b"x")


MAKERS = {
    "file": lambda path, _: path.write_bytes(b"{}"),
    "symlink": lambda path, outside_file: path.symlink_to(outside_file),
    "dangling link": lambda path, outside_file: path.symlink_to(outside_file.with_name("missing")),
    "link to directory": lambda path, outside_file: path.symlink_to(outside_file.parent),
    "link to itself": lambda path, _: path.symlink_to(path),
    "FIFO": lambda path, _: os.mkfifo(path),
    "socket": lambda path, _: bind(path),
    "directory": lambda path, _: path.mkdir(),
    "full directory": make_full_directory,
    "hard link": lambda path, outside_file: path.hardlink_to(outside_file),
    "device": lambda path, _: make_zero_device(path),
}


def place(inbox, kind, outside_file, name="r1.json"):
    """Create an item of that kind under a request's name, and return its path."""
    path = inbox.directory / name
    MAKERS[kind](path, outside_file)
    return path


LINKS = ["symlink", "dangling link", "link to directory", "link to itself"]
KINDS = [kind for kind in MAKERS if kind != "file"]


def none_known(stems):
    """Report that the journal knows no stem."""
    return ()


def names(entries):
    """The names of the entries."""
    return [entry.name for entry in entries]


def fill(inbox, stamps):
    """Create request files; the keys are names, the values modification times in seconds."""
    for name, second in stamps.items():
        path = inbox.directory / name
        path.write_bytes(b"{}")
        os.utime(path, ns=(second * SECOND, second * SECOND))


def test_inbox_reads_a_plain_file(inbox):
    """A plain file without a writer is read whole."""
    (inbox.directory / "r1.json").write_bytes(b'{"a": 1}')
    assert inbox.read("r1.json") == b'{"a": 1}'


@pytest.mark.parametrize(
    ("kind", "description"),
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
def test_inbox_rejects_anything_but_a_plain_file(inbox, outside_file, kind, description):
    """A link, FIFO, socket, folder or device is rejected at once, by its kind, and never followed."""
    place(inbox, kind, outside_file)
    with pytest.raises(NotARequestFileError, match=f"^cannot accept the request: it is {description}"):
        inbox.read("r1.json")


@pytest.mark.parametrize("kind", KINDS)
def test_inbox_opens_plain_files_only(inbox, outside_file, monkeypatch, kind):
    """Opening a special file can already have an effect."""
    place(inbox, kind, outside_file)
    opened = []
    monkeypatch.setattr(os, "open", lambda *arguments: opened.append(arguments))
    with pytest.raises(NotARequestFileError):
        inbox.read("r1.json")
    assert opened == []


@pytest.mark.parametrize("kind", ["symlink", "FIFO", "directory", "hard link"])
def test_inbox_does_not_read_a_file_swapped_before_it_is_opened(inbox, outside_file, monkeypatch, kind):
    """A plain file that is replaced by another kind between lstat and open is not read."""
    path = inbox.directory / "r1.json"
    path.write_bytes(b"{}")
    system_open = os.open

    def swap_and_open(*arguments):
        path.unlink()
        place(inbox, kind, outside_file)
        return system_open(*arguments)

    monkeypatch.setattr(os, "open", swap_and_open)
    with pytest.raises((NotARequestFileError, OSError)):
        inbox.read("r1.json")


def test_inbox_reports_a_hard_link_with_its_own_error(inbox, outside_file):
    """A client may be linking its request into place, so a second name has its own error."""
    place(inbox, "hard link", outside_file)
    with pytest.raises(HardLinkError):
        inbox.read("r1.json")
    outside_file.unlink()
    assert inbox.read("r1.json") == b"precious"


def test_inbox_rejects_a_file_above_the_limit(inbox):
    """A file of exactly the limit is read; one more byte is too large, and the error names the limit."""
    path = inbox.directory / "r1.json"
    path.write_bytes(b" " * LIMIT)
    assert len(inbox.read("r1.json")) == LIMIT
    path.write_bytes(b" " * (LIMIT + 1))
    with pytest.raises(TooLargeError, match=r"more than 1024 bytes \(limits.request_bytes\)"):
        inbox.read("r1.json")


def test_inbox_reads_one_byte_above_the_limit_at_most(inbox, monkeypatch):
    """Memory does not depend on the size of the file (I12)."""
    with (inbox.directory / "r1.json").open("wb") as file:
        file.truncate(1 << 40)
    counts = []
    read = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, count: counts.append(count) or read(descriptor, count))
    with pytest.raises(TooLargeError):
        inbox.read("r1.json")
    assert counts == [LIMIT + 1]


@pytest.mark.parametrize("mode", ["wb", "ab", "r+b"])
def test_inbox_does_not_read_a_file_open_for_writing(inbox, mode):
    """A file that is open for writing is not read (I5); after it is closed, it is."""
    path = inbox.directory / "r1.json"
    path.write_bytes(b"{}")
    with path.open(mode) as file:
        with pytest.raises(FileInUseError):
            inbox.read("r1.json")
        file.write(b"{}")
    assert inbox.read("r1.json").startswith(b"{}")


def test_inbox_does_not_read_a_file_that_another_process_writes(inbox):
    """A file that another process has open for writing is not read until that process closes it (I5)."""
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


def test_inbox_reads_a_file_that_another_reader_has_open(inbox):
    """A reader does not delay a request."""
    path = inbox.directory / "r1.json"
    path.write_bytes(b"{}")
    with path.open("rb"):
        assert inbox.read("r1.json") == b"{}"


def test_inbox_keeps_no_lease_after_reading(inbox):
    """After the read, a writer can open the file without waiting."""
    path = inbox.directory / "r1.json"
    path.write_bytes(b"{}")
    inbox.read("r1.json")
    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))  # fails with EWOULDBLOCK if a lease is left


def test_inbox_reads_a_file_where_leases_are_unsupported(inbox, monkeypatch):
    """If the file system has no leases, the caller decides whether the file is stable."""
    (inbox.directory / "r1.json").write_bytes(b"{}")

    def no_leases(*_arguments):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(inbox_module.fcntl, "fcntl", no_leases)
    assert inbox.read("r1.json") == b"{}"


def test_inbox_raises_for_a_removed_file(inbox):
    """A removed file is neither empty nor rejected."""
    with pytest.raises(FileNotFoundError):
        inbox.read("r1.json")
    assert inbox.fingerprint("r1.json") is None


def test_inbox_leaves_no_descriptor_open(inbox, outside_file):
    """No outcome of a read leaks a descriptor (I12)."""
    (inbox.directory / "good.json").write_bytes(b"{}")
    (inbox.directory / "large.json").write_bytes(b" " * 2000)
    place(inbox, "hard link", outside_file, "hard.json")
    busy = (inbox.directory / "busy.json").open("wb")
    before = open_descriptors()
    for name in ("good", "large", "hard", "busy", "gone"):
        try:
            inbox.read(f"{name}.json")
        except (OSError, NotARequestFileError, TooLargeError, FileInUseError):
            continue
    assert open_descriptors() == before
    busy.close()


def test_fingerprint_changes_with_the_file(inbox):
    """Growth, a rewrite with the old time stamp and a replacement change the fingerprint; reading it does not."""
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


def test_oldest_orders_by_time_then_name(inbox):
    """Request files are ordered by modification time, and by name if the times are equal."""
    fill(inbox, {"c.json": 1, "a.json": 3, "b.json": 2, "z.json": 2})
    assert names(inbox.oldest(10, after=None, known=none_known)) == ["c.json", "b.json", "z.json", "a.json"]


def test_oldest_lists_every_name_of_a_request(inbox, outside_file):
    """Temporary files are left out; an item of any kind with a request's name is listed, because it needs an answer."""
    fill(inbox, {"a.json": 1, "b.json.tmp": 1, ".c.tmp": 1, "d": 1})
    for kind in KINDS:
        place(inbox, kind, outside_file, f"{kind}.json")
    assert set(names(inbox.oldest(99, after=None, known=none_known))) == {"a.json", *(f"{kind}.json" for kind in KINDS)}


@pytest.mark.parametrize("width", [1, 2, 3, 7, 100])
def test_oldest_windows_cover_every_file_once(inbox, width):
    """Consecutive windows return every file once and in order, even if time stamps are equal."""
    fill(inbox, {f"{number:02}.json": number // 5 for number in range(23)})
    seen, after = [], None
    while window := inbox.oldest(width, after=after, known=none_known):
        assert len(window) <= width
        seen += window
        after = window[-1]
    assert names(seen) == [f"{number:02}.json" for number in range(23)]


def test_oldest_lists_an_entry_that_cannot_be_examined_last(inbox, monkeypatch):
    """A disk error at one name hides neither the others nor the name, whose reader reports the error (I16)."""
    fill(inbox, {"a.json": 1, "bad.json": 2, "c.json": 3})
    scan = os.scandir

    class Failing:
        def __init__(self, entry):
            self._entry, self.name = entry, entry.name

        def stat(self, *, follow_symlinks):
            if self.name == "bad.json":
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return self._entry.stat(follow_symlinks=follow_symlinks)

    @contextmanager
    def failing_scandir(path):
        with scan(path) as entries:
            yield map(Failing, entries)

    monkeypatch.setattr(os, "scandir", failing_scandir)
    assert names(inbox.oldest(9, after=None, known=none_known)) == ["a.json", "c.json", "bad.json"]


def test_oldest_starts_after_the_given_entry(inbox):
    """The window starts after the given entry, even if that file no longer exists."""
    fill(inbox, {"a.json": 1, "c.json": 2})
    assert names(inbox.oldest(9, after=Entry(1 * SECOND, "b.json"), known=none_known)) == ["c.json"]
    assert names(inbox.oldest(9, after=Entry(2 * SECOND, "c.json"), known=none_known)) == []


def test_oldest_leaves_out_known_stems(inbox):
    """A request that the journal knows is not returned and takes no place in a window."""
    fill(inbox, {"a.json": 1, "b.json": 2, "c.json": 3})
    assert names(inbox.oldest(1, after=None, known={"a", "b"}.intersection)) == ["c.json"]


def test_oldest_uses_bounded_memory_for_a_full_folder(inbox, monkeypatch):
    """About ``count`` entries exist at a time, for any number of files; stems are looked up in batches (I12)."""
    fill(inbox, {f"{number}.json": 2000 - number for number in range(1500)})
    alive, most, batches = weakref.WeakSet(), 0, []

    def counted(*arguments):
        nonlocal most
        entry = Entry(*arguments)
        alive.add(entry)
        most = max(most, len(alive))
        return entry

    monkeypatch.setattr(inbox_module, "Entry", counted)
    found = inbox.oldest(10, after=None, known=lambda stems: batches.append(len(stems)) or ())
    assert len(found) == 10
    assert most <= 13
    assert sum(batches) == 1500
    assert max(batches) <= 256


def test_oldest_skips_a_file_removed_during_the_listing(inbox):
    """A file that is removed between readdir and lstat needs no answer."""
    fill(inbox, {"a.json": 1, "b.json": 2})

    def remove_a(stems):
        (inbox.directory / "a.json").unlink()
        return ()

    assert names(inbox.oldest(9, after=None, known=remove_a)) == ["b.json"]


def test_oldest_of_an_empty_folder_does_not_query_the_journal(inbox):
    """An empty folder causes no query."""
    assert inbox.oldest(9, after=None, known=lambda stems: pytest.fail("queried")) == []


def test_oldest_raises_for_a_missing_folder(tmp_path):
    """A missing folder is an error; it does not count as empty."""
    with pytest.raises(FileNotFoundError):
        Inbox(tmp_path / "gone", LIMIT).oldest(9, after=None, known=none_known)


@pytest.mark.parametrize("kind", ["file", *KINDS])
def test_remove_removes_any_kind(inbox, outside_file, kind):
    """An item of any kind with a request's name is removed; the target of a link stays unchanged."""
    path = place(inbox, kind, outside_file)
    inbox.remove("r1.json")
    assert not os.path.lexists(path)
    assert outside_file.read_bytes() == b"precious"
    assert inbox.directory.is_dir()


def test_remove_of_a_removed_request_succeeds(inbox):
    """A request that another process removed already is no error."""
    inbox.remove("r1.json")


def test_remove_unchanged_removes_only_the_file_that_was_seen(inbox):
    """A file that replaced it, or that appeared since, stays; an already removed file counts as removed."""
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


def test_remove_raises_if_the_folder_forbids_it(inbox, monkeypatch):
    """A request that cannot be removed raises an error, so that the removal is retried."""
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
    """Make rename fail as it does between two file systems."""

    def fail(*_arguments, **_options):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "rename", fail)


@pytest.mark.parametrize("kind", ["file", *KINDS])
def test_quarantine_moves_any_kind(inbox, outside_file, tmp_path, kind):
    """The item is moved unchanged into a folder that only the host's user can enter."""
    folder = tmp_path / "state" / "quarantine"
    path = place(inbox, kind, outside_file)
    before = path.lstat().st_ino
    inbox.quarantine("r1.json", folder, "label")
    assert not os.path.lexists(path)
    assert (folder / "label").lstat().st_ino == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert outside_file.read_bytes() == b"precious"


@pytest.mark.usefixtures("across_devices")
@pytest.mark.parametrize("kind", ["file", *KINDS])
def test_quarantine_across_file_systems_keeps_content_only(inbox, outside_file, tmp_path, kind):
    """Across file systems a plain file's content is kept; links, FIFOs and devices are removed without being opened."""
    path = place(inbox, kind, outside_file)
    inbox.quarantine("r1.json", tmp_path / "kept", "label")
    assert not os.path.lexists(path)
    kept = {"file": [b"{}"], "hard link": [b"precious"]}.get(kind, [])
    assert [file.read_bytes() for file in (tmp_path / "kept").iterdir()] == kept
    assert outside_file.read_bytes() == b"precious"


@pytest.mark.usefixtures("across_devices")
def test_quarantine_across_file_systems_is_bounded(inbox, tmp_path):
    """The copy of a file of any size ends at the limit."""
    (inbox.directory / "r1.json").write_bytes(b"x" * 5000)
    inbox.quarantine("r1.json", tmp_path / "kept", "label")
    assert (tmp_path / "kept" / "label").stat().st_size == LIMIT


def test_quarantine_of_a_removed_file_succeeds(inbox, tmp_path):
    """A removed file needs no quarantine."""
    inbox.quarantine("r1.json", tmp_path / "kept", "label")
    assert list((tmp_path / "kept").iterdir()) == []


def test_quarantine_leaves_the_file_if_it_fails(inbox, tmp_path, monkeypatch):
    """If the quarantine is full, the file stays in place, and the caller retries."""
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
    """A file's content is kept between two real file systems."""
    folder = Path("/dev/shm") / f"coordinator-test-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / "r1.json").write_bytes(b"{}")
        Inbox(folder, LIMIT).quarantine("r1.json", tmp_path / "kept", "label")
        assert list(folder.iterdir()) == []
    finally:
        shutil.rmtree(folder)
    assert (tmp_path / "kept" / "label").read_bytes() == b"{}"
