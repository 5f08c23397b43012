"""Atomic writes (temporary file, fsync, rename, fsync directory), and ``exists``, which raises when a disk fails."""

import errno
import os
import stat

import pytest

from protocol import fs
from protocol.fs import exists, fsync_parents, write_atomic
from tests.support.filesystem import listing, open_descriptors


@pytest.fixture
def target(tmp_path):
    """A file with old content."""
    path = tmp_path / "answer.json"
    path.write_bytes(b"old")
    return path


@pytest.fixture
def calls(monkeypatch):
    """The calls of fsync and rename, in order."""
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


def test_write_atomic_writes_the_whole_content(target):
    """The file holds exactly the new content, and the folder holds no other file."""
    write_atomic(target, b"new" * 100_000)
    assert target.read_bytes() == b"new" * 100_000
    assert listing(target.parent) == [target.name]


def test_write_atomic_syncs_content_before_the_rename(target, calls):
    """The order is fsync file, rename, fsync directory: a power cut at any instant loses no answer."""
    write_atomic(target, b"new")
    assert calls == ["fsync file", "rename", "fsync directory"]


def test_write_atomic_without_durability_does_not_sync(target, calls):
    """A write that matters for this boot only is renamed into place without fsync."""
    write_atomic(target, b"new", durable=False)
    assert calls == ["rename"]


def test_write_atomic_keeps_the_old_content_if_the_rename_fails(target, monkeypatch):
    """A crash before the rename leaves the old content."""
    monkeypatch.setattr(os, "rename", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_write_atomic_keeps_the_old_content_on_a_full_disk(target, monkeypatch, call):
    """A full disk leaves the old content and no temporary file."""
    monkeypatch.setattr(os, call, failing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space"):
        write_atomic(target, b"new")
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert listing(target.parent) == [target.name]


def test_write_atomic_continues_short_writes(target, monkeypatch):
    """If the kernel accepts one byte per call, all bytes are written."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:1]))
    write_atomic(target, b"new content")
    assert target.read_bytes() == b"new content"


def test_write_atomic_leaves_no_descriptor_open(target, monkeypatch):
    """Neither success nor failure leaks a descriptor (I12)."""
    before = open_descriptors()
    write_atomic(target, b"new")
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        write_atomic(target, b"new")
    assert open_descriptors() == before


@pytest.mark.parametrize("plant", ["symlink", "dangling", "hardlink", "file", "fifo"])
def test_write_atomic_replaces_what_was_planted_at_the_temporary_name(target, tmp_path, plant):
    """A link, FIFO or file planted at the temporary name is replaced; it is never followed or written to."""
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


def test_write_atomic_replaces_a_link_at_the_target(target, tmp_path):
    """The link is replaced, and the file it points to stays unchanged."""
    link = tmp_path / "link.json"
    link.symlink_to(target)
    write_atomic(link, b"new")
    assert not link.is_symlink()
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666])
def test_write_atomic_sets_the_mode_independently_of_the_umask(target, umask, mode):
    """The mode equals the argument, with any umask."""
    earlier = os.umask(umask)
    try:
        write_atomic(target, b"new", mode=mode)
    finally:
        os.umask(earlier)
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_write_atomic_raises_for_a_missing_folder(tmp_path):
    """A missing folder raises the operating system's error."""
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "gone" / "answer.json", b"new")


def test_fsync_parents_syncs_every_parent_once(tmp_path, monkeypatch):
    """All parents of the given folders are synced, each once: any of these names may be new."""
    synced = []
    monkeypatch.setattr(fs, "fsync_dir", synced.append)
    fsync_parents(tmp_path / "a" / "requests", tmp_path / "a" / "status", tmp_path / "state")
    assert sorted(synced) == sorted({tmp_path / "a", tmp_path, *tmp_path.parents})


def test_fsync_parents_skips_a_folder_it_may_not_open(tmp_path, monkeypatch):
    """A parent that the coordinator may not open was created by another user."""

    def sync(directory):
        if directory == tmp_path:
            raise PermissionError

    monkeypatch.setattr(fs, "fsync_dir", sync)
    fsync_parents(tmp_path / "state")


def test_exists_follows_links(tmp_path):
    """A link to itself does not exist and is no error, because a container can create one."""
    file, link, loop = tmp_path / "file", tmp_path / "link", tmp_path / "loop"
    file.touch()
    link.symlink_to(file)
    loop.symlink_to(loop)
    assert [exists(path) for path in (tmp_path, file, link, loop, file / "below", tmp_path / "other")] == [
        *(True, True, True),
        *(False, False, False),
    ]
    file.unlink()
    assert not exists(link)


def test_exists_raises_when_the_disk_fails(tmp_path, monkeypatch):
    """An I/O error must not make a journal count as lost."""
    monkeypatch.setattr(os, "stat", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        exists(tmp_path)
