"""Unpacking of untrusted archives."""

from __future__ import annotations

import io
import os
import stat
import tarfile

import pytest
from library_commands import run_command


def entry(name, data=b"x", **more):
    """One member and its content."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for key, value in more.items():
        setattr(member, key, value)
    return member, data


def folder(name, **more):
    """A folder."""
    return entry(name, b"", type=tarfile.DIRTYPE, mode=0o755, **more)


def link(name, target):
    """A symbolic link."""
    return entry(name, b"", type=tarfile.SYMTYPE, linkname=target)


def hard(name, target):
    """A hard link."""
    return entry(name, b"", type=tarfile.LNKTYPE, linkname=target)


def unpacked(tmp_path, *members, limit=1 << 20):
    """Unpack an archive of ``members`` into tmp_path/out."""
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for member, data in members:
            archive.addfile(member, io.BytesIO(data))
    return run_command("unpack.py", tmp_path / "a.tar.gz", tmp_path / "out", limit)


def tree(tmp_path):
    """All files below tmp_path/out."""
    out = tmp_path / "out"
    return sorted(str(one.relative_to(out)) for one in out.rglob("*") if not one.is_dir())


def test_single_top_folder_is_stripped(tmp_path):
    """GitHub's own archives have such a folder; symbolic and hard links inside are kept."""
    done = unpacked(
        tmp_path, folder("app-1"), entry("app-1/main.py"), entry("app-1/lib/a.py"),
        link("app-1/lib/b.py", "../main.py"), hard("app-1/c.py", "app-1/main.py"),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path) == ["c.py", "lib/a.py", "lib/b.py", "main.py"]
    assert (tmp_path / "out" / "lib" / "b.py").read_text() == "x"
    assert (tmp_path / "out" / "c.py").read_text() == "x"


@pytest.mark.parametrize(
    "members", [[entry("main.py")], [folder("a"), entry("a/x"), entry("b")], [entry("./m/x"), entry("n")]]
)
def test_archive_without_a_top_folder_is_unpacked_unchanged(tmp_path, members):
    """The archive has a single file, or several top entries."""
    assert unpacked(tmp_path, *members).returncode == 0
    assert len(tree(tmp_path)) == len([one for one, _ in members if one.isreg()])


def test_owner_and_special_bits_are_not_restored(tmp_path):
    """The user of the script owns the files, and no other user can write them."""
    done = unpacked(
        tmp_path, entry("run", mode=0o6777, uid=4711, gid=4711), entry("data", mode=0o666, uid=1), folder("d", uid=7)
    )
    assert done.returncode == 0
    run, data = (tmp_path / "out" / "run").stat(), (tmp_path / "out" / "data").stat()
    assert [stat.S_IMODE(one.st_mode) for one in (run, data)] == [0o755, 0o644]
    assert {(one.st_uid, one.st_gid) for one in (run, data)} == {(os.getuid(), os.getgid())}


HARMFUL = {
    "an absolute name": [entry("/tmp/scr-evil")],
    "a name above the folder": [entry("a/../../evil")],
    "a link to a target above the folder": [entry("a"), link("l", "../../etc/passwd")],
    "an absolute link": [entry("a"), link("l", "/etc/passwd")],
    "a file below a link": [folder("d"), link("l", "d"), entry("l/evil")],
    "a file below a link that leads out": [folder("d"), link("l", ".."), entry("l/evil")],
    "a file in place of a file": [entry("a"), entry("a")],
    "a file in place of a link": [entry("a"), link("l", "a"), entry("l")],
    "a folder in place of a link": [folder("d"), link("l", "d"), folder("l")],
    "a folder below a file": [entry("a"), entry("a/b")],
    "a chain of links that leads out": [
        folder("a"), folder("a/b"), entry("x"), link("a/b/up", "../.."), link("out", "a/b/up/../x/../../evil"),
        link("far", "a/b/up/.."),
    ],
    "a hard link to a file outside": [entry("a"), hard("h", "/etc/passwd")],
    "a hard link to a name above the folder": [entry("a"), hard("h", "../a")],
    "a hard link to a later member": [hard("h", "a"), entry("a")],
    "a device": [entry("a"), entry("dev", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
    "a pipe": [entry("a"), entry("pipe", b"", type=tarfile.FIFOTYPE)],
    "too many bytes": [entry("a", b"0" * (1 << 20)), entry("b")],
}  # fmt: skip


@pytest.mark.parametrize("members", HARMFUL.values(), ids=HARMFUL)
def test_harmful_archive_is_rejected(tmp_path, members):
    """No file is created outside the folder."""
    before = {one for one in tmp_path.parent.iterdir() if one != tmp_path}
    done = unpacked(tmp_path, *members)
    assert done.returncode == 1
    assert done.stderr.startswith("cannot unpack a.tar.gz: ")
    assert {one.name for one in tmp_path.iterdir()} <= {"a.tar.gz", "out"}
    assert {one for one in tmp_path.parent.iterdir() if one != tmp_path} == before
    assert not os.path.lexists("/tmp/scr-evil")


@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"\x1f\x8b\x08\0", b"\0" * 5000])
def test_file_that_is_no_archive_is_rejected(tmp_path, data):
    """An empty file and an empty archive are rejected, too."""
    (tmp_path / "a").write_bytes(data)
    done = run_command("unpack.py", tmp_path / "a", tmp_path / "out", 1000)
    assert done.returncode == 1
    assert done.stderr.startswith("cannot unpack a: ")
