"""Unpack an archive that a stranger may have made: nothing lands outside the folder, nothing but files, folders and links.

usage: unpack.py ARCHIVE FOLDER BYTES

FOLDER must not exist; a single folder around everything is stripped. BYTES bounds what the archive may hold, unpacked.
Owners and special permission bits are not taken over.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MEMBERS = 200_000


class ArchiveError(Exception):
    """The archive holds what must not be unpacked."""


class Unpacking:
    """One archive on its way into a new folder."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._seen: set[PurePosixPath] = set()

    def unpack(self, archive: tarfile.TarFile) -> None:
        """Judge all members, then write them.

        Raises:
            ArchiveError: one of them is refused; what was written until then remains for the caller to remove.
        """
        members = list(self._judged(archive))
        top = _single_top(members)
        self._folder.mkdir()
        for member, path in members:
            inner = path.relative_to(top)
            if inner.parts:
                self._write(archive, member, inner, top)
        self._judge_links()

    def _judged(self, archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, PurePosixPath]]:
        room = self._limit_bytes
        for number, member in enumerate(archive):
            room -= max(member.size, 0)
            if number >= MEMBERS or room < 0:
                raise ArchiveError(
                    f"it holds more than {MEMBERS} entries or {self._limit_bytes} bytes (UNPACKED_BYTES)"
                )
            if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
                raise ArchiveError(f"{member.name!r} is neither a file nor a folder nor a link")
            path = _inside(member.name)
            if path.parts:
                yield member, path

    def _write(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo, inner: PurePosixPath, top: PurePosixPath
    ) -> None:
        target = self._folder / inner
        self._make_folders(inner.parent)
        if member.isdir():
            self._make_folders(inner)
            return
        if inner in self._seen or os.path.lexists(target):
            raise ArchiveError(f"{member.name!r} occurs a second time")
        self._seen.add(inner)
        if member.issym():
            if member.linkname.startswith("/"):
                raise ArchiveError(f"the link {member.name!r} leads to {member.linkname!r}")
            target.symlink_to(member.linkname)
        elif member.islnk():
            source = _inside(member.linkname)
            if not source.is_relative_to(top) or source.relative_to(top) not in self._seen:
                raise ArchiveError(f"the link {member.name!r} leads to {member.linkname!r}, which is no file before it")
            os.link(self._folder / source.relative_to(top), target, follow_symlinks=False)
        else:
            self._write_file(archive, member, target)

    def _make_folders(self, inner: PurePosixPath) -> None:
        """Make each folder on the way; none of them may be a link, for what follows would be written where it leads."""
        path = self._folder
        for part in inner.parts:
            path /= part
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                raise ArchiveError(f"{str(inner)!r} lies behind a link or a file")
            path.mkdir(exist_ok=True)

    @staticmethod
    def _write_file(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
        source = archive.extractfile(member)
        if source is None:
            raise ArchiveError(f"{member.name!r} cannot be read")
        with source, target.open("xb") as written:
            shutil.copyfileobj(source, written)
        target.chmod(0o755 if member.mode & 0o111 else 0o644)

    def _judge_links(self) -> None:
        """Each link's end, found by the system itself, lies in the folder: a chain of links may lead out of it, too."""
        root = self._folder.resolve()
        for inner in self._seen:
            path = self._folder / inner
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise ArchiveError(f"the link {str(inner)!r} leads out of the archive")


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ArchiveError(f"{name!r} lies outside of it")
    return path


def _single_top(members: list[tuple[tarfile.TarInfo, PurePosixPath]]) -> PurePosixPath:
    tops = {path.parts[0] for _, path in members}
    files = {path.parts[0] for member, path in members if len(path.parts) == 1 and not member.isdir()}
    return PurePosixPath(*tops) if len(tops) == 1 and not files else PurePosixPath()


def main(arguments: list[str]) -> int:
    """Run the command; errors go to standard error in words."""
    if len(arguments) != len(("ARCHIVE", "FOLDER", "BYTES")):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    file, folder, limit_bytes = arguments
    try:
        with tarfile.open(file) as archive:
            Unpacking(Path(folder), int(limit_bytes)).unpack(archive)
    except (ArchiveError, tarfile.TarError, EOFError, ValueError, OSError) as error:
        sys.stderr.write(f"cannot unpack {Path(file).name}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
