"""``requests/`` as the host reads it: a folder that another party, possibly hostile, writes (I5, I6).

Nothing here follows a link, blocks on a pipe or trusts a size. Nothing here decides what a file means: the caller does.
"""

from __future__ import annotations

import errno
import fcntl
import heapq
import os
import signal
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from protocol.fs import fsync_dir, remove_tree
from protocol.names import is_request_id, stem_of
from protocol.types import ProtocolError

_CHUNK = 256
_UNKNOWN_TIME = 2**63 - 1  # sorts last
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}


class NotARequestFileError(ProtocolError):
    """The name does not belong to a plain file. The client's fault."""


class HardLinkError(NotARequestFileError):
    """The file has more than one name: for a moment, while a client links it into place, or to read another file."""


class TooLargeError(ProtocolError):
    """The file is larger than a request may be. The client's fault."""


class FileInUseError(ProtocolError):
    """The file is open for writing: it must not be read yet (I5)."""


@dataclass(frozen=True, order=True)
class Entry:
    """A name in the folder; entries sort in the order of arrival, as far as the modification times show it."""

    modified_ns: int
    name: str


@dataclass(frozen=True)
class Fingerprint:
    """Changes whenever the file changes: shows whether a file is still being written in pieces."""

    inode: int
    size: int
    modified_ns: int
    changed_ns: int


class Inbox:
    """The folder of requests.

    Args:
        directory: ``requests/``.
        request_bytes: the largest file that is read at all.
    """

    def __init__(self, directory: Path, request_bytes: int) -> None:
        self.directory = directory
        self._request_bytes = request_bytes

    def oldest(
        self, count: int, *, after: Entry | None, known: Callable[[Sequence[str]], Collection[str]]
    ) -> list[Entry]:
        """The ``count`` oldest request files that come after ``after`` and whose stems are not ``known``.

        Memory is bounded by ``count`` however many files there are (I12): the folder is streamed, not listed.

        Raises:
            OSError: the folder cannot be read.
        """
        return heapq.nsmallest(count, (e for e in self._unknown(known) if after is None or e > after))

    def _unknown(self, known: Callable[[Sequence[str]], Collection[str]]) -> Iterator[Entry]:
        with os.scandir(self.directory) as entries:
            chunk: list[os.DirEntry[str]] = []
            for entry in entries:
                if stem_of(entry.name) is not None:
                    chunk.append(entry)
                if len(chunk) == _CHUNK:
                    yield from _stamped(chunk, known)
                    chunk.clear()
            yield from _stamped(chunk, known)

    def fingerprint(self, name: str) -> Fingerprint | None:
        """The present fingerprint of ``name``; None when it does not exist."""
        try:
            return _fingerprint((self.directory / name).lstat())
        except FileNotFoundError:
            return None

    def read(self, name: str) -> bytes:
        """The bytes of a plain file that is not open for writing.

        Raises:
            FileNotFoundError: it is gone.
            NotARequestFileError: it is a link, a second name of another file, or not a file.
            TooLargeError: it exceeds ``request_bytes``.
            FileInUseError: it is open for writing.
            OSError: it cannot be read.
        """
        path = self.directory / name
        _require_plain(path.lstat())  # before opening: opening a device may have an effect
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            _require_plain(os.fstat(descriptor))
            _require_unwritten(descriptor)
            content = os.read(descriptor, self._request_bytes + 1)
        finally:
            os.close(descriptor)  # releases the lease, too
        if len(content) > self._request_bytes:
            raise TooLargeError(
                f"cannot accept the request: it has more than {self._request_bytes} bytes (limits.request_bytes)"
            )
        return content

    def remove(self, name: str) -> None:
        """Remove ``name`` from the folder, a file of any type; the target of a link stays.

        Raises:
            OSError: the folder is read-only or gone.
        """
        remove_tree(self.directory / name)

    def remove_unchanged(self, name: str, seen: Fingerprint | None) -> bool:
        """Remove ``name`` if it is still the file that was ``seen``; return whether no file of that name is left.

        POSIX has no call that compares and removes: a file that replaces the compared one in between is removed, too.

        Raises:
            OSError: the folder is read-only or gone.
        """
        if (present := self.fingerprint(name)) is None:
            return True
        if present != seen:
            return False
        self.remove(name)
        return True

    def quarantine(self, name: str, folder: Path, label: str) -> None:
        """Move ``name`` into ``folder`` as ``label``: what cannot be answered is kept for a person to inspect.

        Across file systems only a plain file's first ``request_bytes`` are kept.

        Raises:
            OSError: the folder is full, read-only or gone; ``name`` is then still where it was.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        source, target = self.directory / name, folder / label
        try:
            source.rename(target)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            if stat.S_ISREG(source.lstat().st_mode):
                descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    _keep(target, os.read(descriptor, self._request_bytes))
                finally:
                    os.close(descriptor)
            self.remove(name)


def _stamped(chunk: list[os.DirEntry[str]], known: Callable[[Sequence[str]], Collection[str]]) -> Iterator[Entry]:
    # Only valid ids are looked up: a name can hold bytes that are not text.
    stems = [stem for entry in chunk if is_request_id(stem := entry.name.removesuffix(".json"))]
    passed_over = known(stems) if stems else ()
    for entry in chunk:
        if entry.name.removesuffix(".json") in passed_over:
            continue
        try:
            modified_ns = entry.stat(follow_symlinks=False).st_mtime_ns
        except FileNotFoundError:  # removed since it was listed
            continue
        except OSError:  # reading it reports the error; the files beside it must not wait for that (I16)
            modified_ns = _UNKNOWN_TIME
        yield Entry(modified_ns, entry.name)


def _keep(target: Path, content: bytes) -> None:
    """Durably write the only copy of a file that is about to be removed."""
    with target.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fsync_dir(target.parent)


def _fingerprint(found: os.stat_result) -> Fingerprint:
    return Fingerprint(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _require_plain(found: os.stat_result) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        found_kind = _KINDS.get(kind, "of an unknown type")
        raise NotARequestFileError(f"cannot accept the request: it is {found_kind}, not a plain file")
    if found.st_nlink > 1:
        raise HardLinkError("cannot accept the request: it is a hard link, a second name of another file")


def _require_unwritten(descriptor: int) -> None:
    """Raise when a process has the file open for writing: the kernel then refuses a read lease.

    A granted lease is held while the file is read: a writer that opens it now waits until the descriptor is closed, and
    the kernel sends a signal, which is set to one that is ignored by default. Where leases do not exist (NFS, some
    FUSE) or are not allowed (another owner, no CAP_LEASE), nothing is known: the caller waits for a stable file.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        raise FileInUseError("cannot read the request yet: it is open for writing") from None
    except OSError:
        return
