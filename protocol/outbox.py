"""``status/`` as the host writes it: final statuses and progress, which the container reads and deletes."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import TypeVar

from pydantic import ValidationError

from protocol.fs import TEMPORARY_SUFFIX, exists, remove_tree, write_atomic
from protocol.messages import FinalStatus, Progress
from protocol.names import PROGRESS_SUFFIX, is_request_id, progress_file, status_file, stem_of

_Message = TypeVar("_Message", FinalStatus, Progress)
_MARKER = ".coordinator"
_PROGRESS_BYTES = 65536  # fits two tails of 4096 bytes, even of NULs, which take six bytes each in JSON
_STATUS_BYTES = 64 * 1024 * 1024  # far above what output_bytes allows: bounds what another party may have put there


class Outbox:
    """The folder of statuses. A final status appears once, whole, and is never changed (I1, I5)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def publish(self, status: FinalStatus) -> None:
        """Publish ``status`` durably; a status that exists already is left as it is.

        Raises:
            OSError: the folder is full, read-only or gone.
        """
        name = status_file(status.request_id)
        with suppress(FileNotFoundError):
            if S_ISREG((self.directory / name).lstat().st_mode):
                return
        self._write(name, status, durable=True)

    def publish_progress(self, progress: Progress) -> None:
        """Replace a request's progress. Not durable: it counts for this boot only, see ``remove_stale``.

        Raises:
            OSError: the folder is full, read-only or gone.
        """
        self._write(progress_file(progress.request_id), progress, durable=False)

    def _write(self, name: str, message: FinalStatus | Progress, *, durable: bool) -> None:
        path, content = self.directory / name, message.model_dump_json().encode()
        try:
            write_atomic(path, content, durable=durable)
        except IsADirectoryError:  # another party's: this side never creates a directory here
            remove_tree(path)
            write_atomic(path, content, durable=durable)

    def clear(self, request_id: str) -> None:
        """Remove a request's progress.

        Raises:
            OSError: the folder is read-only or gone.
        """
        remove_tree(self.directory / progress_file(request_id))

    def read(self, request_id: str) -> FinalStatus | None:
        """The final status, None while there is none; also None for a file that is not a status."""
        return _load(self.directory / status_file(request_id), FinalStatus)

    def read_progress(self, request_id: str) -> Progress | None:
        """The present progress, None when there is none."""
        return _load(self.directory / progress_file(request_id), Progress)

    def finals(self) -> Iterator[os.DirEntry[str]]:
        """Every final status that has not been deleted yet."""
        with os.scandir(self.directory) as entries:
            for entry in entries:
                stem = stem_of(entry.name)
                if stem is not None and is_request_id(stem):
                    yield entry

    def remove_stale(self, alive: Callable[[Sequence[str]], Collection[str]]) -> dict[str, Exception]:
        """Remove what an earlier coordinator left unfinished; only before work begins.

        Temporary files are removed, progress of requests that are not ``alive``, and progress that a power cut
        truncated. The progress that is kept lets ``seq`` continue.

        Returns:
            The names that could not be removed, with the reason; they do not prevent the removal of the others (I16).

        Raises:
            OSError: the folder cannot be read.
        """
        failed: dict[str, Exception] = {}
        with os.scandir(self.directory) as entries:
            names = [entry.name for entry in entries if entry.name.endswith((PROGRESS_SUFFIX, TEMPORARY_SUFFIX))]
        ids = [stem for name in names if is_request_id(stem := name.removesuffix(PROGRESS_SUFFIX))]
        kept = {progress_file(request_id) for request_id in alive(ids)}
        for name in names:
            if name in kept and _is_whole(self.directory / name):
                continue
            try:
                remove_tree(self.directory / name)
            except Exception as error:  # noqa: BLE001  anything may lie here, such as a folder nested too deep
                failed[name] = error
        return failed

    def write_marker(self) -> None:
        """Record durably that a coordinator with a journal has worked here (I13)."""
        if not self.has_marker():
            write_atomic(self.directory / _MARKER, b"")

    def has_marker(self) -> bool:
        """Whether a coordinator has worked here before: then a missing journal is a lost one."""
        return exists(self.directory / _MARKER)


def _is_whole(path: Path) -> bool:
    """Whether a progress file is complete; a power cut leaves it empty, short or full of zeros."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        content = os.read(descriptor, _PROGRESS_BYTES)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return content.startswith(b"{") and content.endswith(b"}") and b"\0" not in content


def _load(path: Path, kind: type[_Message]) -> _Message | None:
    """Read a message without following links or blocking on pipes; the container can put anything here."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return kind.model_validate_json(os.read(descriptor, _STATUS_BYTES))
    except (OSError, ValidationError):
        return None
    finally:
        os.close(descriptor)
