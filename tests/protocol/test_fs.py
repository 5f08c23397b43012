"""Write temp, fsync, rename, fsync directory."""

import errno
import os
import stat

import pytest

from protocol import fs
from protocol.fs import fsync_parents, write_atomic
from tests.support.filesystem import listing, open_descriptors


@pytest.fixture
def target(tmp_path):
    """A file with content that must not get lost."""
    path = tmp_path / "answer.json"
    path.write_bytes(b"old")
    return path


@pytest.fixture
def calls(monkeypatch):
    """The durable steps, in the order they were taken."""
    seen: list[str] = []
    fsync, rename = os.fsync, os.rename

    def recorded_fsync(descriptor):
        seen.append("fsync directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "fsync file")
        fsync(descriptor)

    def recorded_rename(*arguments, **options):
        seen.append("rename")
        rename(*arguments, **options)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "rename", recorded_rename)
    return seen


def failing(code):
    """A system call that always fails with ``code``."""

    def fail(*_arguments, **_options):
        raise OSError(code, os.strerror(code))

    return fail


def test_the_whole_content_is_there(target):
    """The file holds exactly what was written, and nothing else is left in the folder."""
    write_atomic(target, b"new" * 100_000)
    assert target.read_bytes() == b"new" * 100_000
    assert listing(target.parent) == [target.name]


def test_content_is_durable_before_its_name(target, calls):
    """The file is synced, then renamed, then its folder is synced: a power cut at any instant loses no answer."""
    write_atomic(target, b"new")
    assert calls == ["fsync file", "rename", "fsync directory"]


def test_what_need_not_last_costs_no_sync(target, calls):
    """A write that counts for this boot only is still renamed into place, without any sync."""
    write_atomic(target, b"new", durable=False)
    assert calls == ["rename"]


def test_a_failed_rename_leaves_the_old_content(target, monkeypatch):
    """Dying before the rename leaves what was there."""
    monkeypatch.setattr(os, "rename", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_leaves_the_old_content_alone(target, monkeypatch, call):
    """A disk that is full leaves what was there, and no temporary file."""
    monkeypatch.setattr(os, call, failing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space"):
        write_atomic(target, b"new")
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert listing(target.parent) == [target.name]


def test_short_writes_are_continued(target, monkeypatch):
    """A kernel that takes one byte at a time gets them all."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:1]))
    write_atomic(target, b"new content")
    assert target.read_bytes() == b"new content"


def test_no_descriptor_is_left_open(target, monkeypatch):
    """Neither success nor failure leaves a descriptor open (I12)."""
    before = open_descriptors()
    write_atomic(target, b"new")
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        write_atomic(target, b"new")
    assert open_descriptors() == before


@pytest.mark.parametrize("plant", ["symlink", "dangling", "hardlink", "file", "fifo"])
def test_what_another_placed_at_the_temporary_name_is_not_written_to(target, tmp_path, plant):
    """A link, pipe or file planted at the temporary name is replaced, never followed or filled."""
    victim = tmp_path / "victim"
    if plant != "dangling":
        victim.write_bytes(b"precious")
    temporary = tmp_path / ".answer.json.tmp"
    match plant:
        case "symlink" | "dangling":
            temporary.symlink_to(victim)
        case "hardlink":
            temporary.hardlink_to(victim)
        case "file":
            temporary.write_bytes(b"a longer content than the new one")
        case "fifo":
            os.mkfifo(temporary)
    write_atomic(target, b"new")
    assert target.read_bytes() == b"new"
    assert not target.is_symlink()
    assert target.stat().st_nlink == 1
    assert victim.exists() is (plant != "dangling")
    assert plant == "dangling" or victim.read_bytes() == b"precious"


def test_a_link_at_the_name_is_replaced(target, tmp_path):
    """A link found at the name itself is replaced, and its target is left alone."""
    link = tmp_path / "link.json"
    link.symlink_to(target)
    write_atomic(link, b"new")
    assert not link.is_symlink()
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666])
def test_the_mode_is_what_was_asked_for(target, umask, mode):
    """The mode is the one asked for, whatever the umask says."""
    earlier = os.umask(umask)
    try:
        write_atomic(target, b"new", mode=mode)
    finally:
        os.umask(earlier)
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_a_missing_folder_is_told(tmp_path):
    """A folder that is gone is an error of the system's own kind."""
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "gone" / "answer.json", b"new")


def test_every_name_above_is_made_to_stay(tmp_path, monkeypatch):
    """All folders above the given ones are synced, each once: any of those names may be new."""
    synced = []
    monkeypatch.setattr(fs, "fsync_dir", synced.append)
    fsync_parents(tmp_path / "a" / "requests", tmp_path / "a" / "status", tmp_path / "state")
    assert sorted(synced) == sorted({tmp_path / "a", tmp_path, *tmp_path.parents})


def test_a_folder_that_is_not_ours_to_open_is_passed_over(tmp_path, monkeypatch):
    """A folder above that only others may open was made by others."""

    def sync(directory):
        if directory == tmp_path:
            raise PermissionError

    monkeypatch.setattr(fs, "fsync_dir", sync)
    fsync_parents(tmp_path / "state")
