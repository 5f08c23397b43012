"""File system primitives: atomic durable writes (I5), existence checks that report I/O errors, removal of any file.

The only place that writes temporary file → fsync → rename → fsync directory.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # ELOOP: a container may create a link to itself anywhere


def write_atomic(
    path: Path, data: bytes, *, mode: int = 0o644, owner: tuple[int, int] | None = None, durable: bool = True
) -> None:
    """Make ``path`` hold exactly ``data``; a reader sees the old content or the new.

    Args:
        path: the file to replace. A link found there is replaced, not followed.
        data: the whole content.
        mode: permission bits, independent of the umask.
        owner: user and group ids; without, those of this process.
        durable: survive a power cut, which costs two fsyncs. Without, only this boot is certain to see it.

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
        fsync_dir(path.parent)


def fsync_dir(directory: Path) -> None:
    """Make the names in ``directory`` (creations, renames, removals) survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_parents(*paths: Path) -> None:
    """Make the names of ``paths``, and of every directory above them, survive a power cut.

    When one of these names is lost, everything below it is lost, fsynced or not.
    """
    for above in {above for path in paths for above in path.parents}:
        with suppress(PermissionError):  # no permission, so not created by this process
            fsync_dir(above)


def _create(temporary: Path, mode: int) -> int:
    """Open a new file: an existing file of this name, created by another party, is removed, never written to."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        descriptor = os.open(temporary, flags, mode)
    except FileExistsError:
        remove_tree(temporary)
        descriptor = os.open(temporary, flags, mode)
    os.fchmod(descriptor, mode)
    return descriptor


def exists(path: Path) -> bool:
    """Whether a file or directory exists at ``path``, links followed.

    ``Path.exists`` returns False from Python 3.14 on when the disk fails: a journal would count as lost.

    Raises:
        OSError: the disk failed, or a parent directory may not be searched.
    """
    try:
        path.stat()
    except OSError as error:
        if error.errno in _ABSENT:
            return False
        raise
    return True


def remove_tree(path: Path) -> None:
    """Remove what is at ``path``: a file, a link but not its target, a directory with its contents; absent is fine.

    Raises:
        OSError: the parent directory is read-only or gone.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):  # POSIX allows unlink either error for a directory
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise
        shutil.rmtree(path)
