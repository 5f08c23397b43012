"""Unpack an untrusted archive: files, folders and links, nothing outside of the folder.

usage: unpack.py ARCHIVE FOLDER BYTES

FOLDER must not exist; a single top folder is stripped. BYTES is the limit of the unpacked size. Owners and special
permission bits are not restored.
"""

from __future__ import annotations

import lzma
import os
import shutil
import sys
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MEMBERS = 200_000


class ArchiveError(Exception):
    """The archive must not be unpacked; its publisher must fix it."""


class ArchiveUnpacker:
    """Unpack one archive into a new folder."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._seen: set[PurePosixPath] = set()

    def unpack(self, archive: tarfile.TarFile) -> None:
        """Validate all members, then write them.

        Raises:
            ArchiveError: a member is rejected; the caller removes what was written until then.
        """
        members = list(self._validated(archive))
        if not members:
            raise ArchiveError("it is empty")
        top = _single_top(members)
        self._folder.mkdir()
        for member, path in members:
            inner = path.relative_to(top)
            if inner.parts:
                self._write(archive, member, inner, top)
        self._validate_links()

    def _validated(self, archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, PurePosixPath]]:
        bytes_left = self._limit_bytes
        for number, member in enumerate(archive):
            bytes_left -= max(member.size, 0)
            if number >= MEMBERS or bytes_left < 0:
                raise ArchiveError(f"it has more than {MEMBERS} entries or {self._limit_bytes} bytes (UNPACKED_BYTES)")
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
                raise ArchiveError(
                    f"the link {member.name!r} leads to {member.linkname!r}, which is not an earlier file"
                )
            os.link(self._folder / source.relative_to(top), target, follow_symlinks=False)
        else:
            self._write_file(archive, member, target)

    def _make_folders(self, inner: PurePosixPath) -> None:
        """Create each folder of the path; none may be a link, because later members would be written to its target."""
        path = self._folder
        for part in inner.parts:
            path /= part
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                raise ArchiveError(f"{str(inner)!r} is below a link or a file")
            path.mkdir(exist_ok=True)

    @staticmethod
    def _write_file(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
        source = archive.extractfile(member)
        if source is None:
            raise ArchiveError(f"{member.name!r} cannot be read")
        with source, target.open("xb") as written:
            shutil.copyfileobj(source, written)
        target.chmod(0o755 if member.mode & 0o111 else 0o644)

    def _validate_links(self) -> None:
        """Resolve each link with the file system, because a chain of links can lead out of the folder."""
        root = self._folder.resolve()
        for inner in self._seen:
            path = self._folder / inner
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise ArchiveError(f"the link {str(inner)!r} leads out of the archive")


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ArchiveError(f"{name!r} is outside of the archive")
    return path


def _single_top(members: list[tuple[tarfile.TarInfo, PurePosixPath]]) -> PurePosixPath:
    tops = {path.parts[0] for _, path in members}
    files = {path.parts[0] for member, path in members if len(path.parts) == 1 and not member.isdir()}
    return PurePosixPath(*tops) if len(tops) == 1 and not files else PurePosixPath()


def main(arguments: list[str]) -> int:
    """Run the command; prints errors to standard error. 0 success, 1 failure, 2 wrong usage."""
    if len(arguments) != len(("ARCHIVE", "FOLDER", "BYTES")):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    file, folder, limit_bytes = arguments
    try:
        with tarfile.open(file) as archive:
            ArchiveUnpacker(Path(folder), int(limit_bytes)).unpack(archive)
    except (ArchiveError, tarfile.TarError, EOFError, ValueError, OSError, zlib.error, lzma.LZMAError) as error:
        sys.stderr.write(f"cannot unpack {Path(file).name}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
