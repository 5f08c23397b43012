"""Write temp → fsync → rename → fsync directory: in this one place, used by everyone (I5)."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from protocol.removal import remove

TEMPORARY_SUFFIX = ".tmp"


def write_atomically(
    path: Path, data: bytes, *, mode: int = 0o644, owner: tuple[int, int] | None = None, durable: bool = True
) -> None:
    """Make ``path`` hold exactly ``data``; a reader sees the old content or the new, nothing between.

    Args:
        path: the file to replace. A link found there is replaced, not followed.
        data: the whole content.
        mode: permission bits, whatever the umask says.
        owner: user and group ids; without, those of this process.
        durable: whether it must survive a power cut: costs two fsyncs. Without, only this boot is certain to see it.

    Raises:
        OSError: the disk is full, read-only or gone; nothing but a temporary file, named after ``path``, may remain.
    """
    temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
    descriptor = _create(temporary, mode)
    try:
        if owner is not None:
            os.fchown(descriptor, *owner)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        if durable:
            os.fsync(descriptor)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        error.filename = str(path)  # fchown(2), write(2) and fsync(2) know only a descriptor
        raise
    finally:
        os.close(descriptor)
    temporary.rename(path)
    if durable:
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in ``directory`` (creations, renames, removals) survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_names(*paths: Path) -> None:
    """Make the names of ``paths``, and of every directory above them, survive a power cut.

    A whole tree hangs on each of these names: with one that did not last, all below it is gone, fsynced or not.
    """
    for above in {above for path in paths for above in path.parents}:
        with suppress(PermissionError):  # not ours to open, so not made by us
            sync_directory(above)


def _create(temporary: Path, mode: int) -> int:
    """Open a file that is certainly new: whatever another party placed at the name is removed, never written to."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        descriptor = os.open(temporary, flags, mode)
    except FileExistsError:
        remove(temporary)
        descriptor = os.open(temporary, flags, mode)
    os.fchmod(descriptor, mode)
    return descriptor
