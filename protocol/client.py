"""The client side of the spool: submit a request, follow it, read the answer."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from protocol.clock import Clock
from protocol.decode import RequestInvalidError, format_validation_errors
from protocol.fs import exists, write_atomic
from protocol.messages import FinalStatus, Progress, Request
from protocol.names import request_file
from protocol.outbox import Outbox
from protocol.types import Action, ProtocolError

POLL_S = 0.05


class SpoolUnavailableError(ProtocolError):
    """A request cannot be written: no space, or a disk error. The operator has to fix it."""


class SpoolMissingError(SpoolUnavailableError):
    """The shared folder does not exist."""


class SpoolNotWritableError(SpoolUnavailableError):
    """This user may not write to the shared folder."""


class StatusTimeoutError(ProtocolError):
    """No final status appeared in time; the request stays where it is and may still be answered."""


class Client:
    """Submits requests to a coordinator through the shared folders.

    Args:
        requests: the folder this side writes.
        status: the folder the coordinator writes.
        clock: used to stamp requests and to wait.
    """

    def __init__(self, requests: Path, status: Path, clock: Clock) -> None:
        self._requests = requests
        self._outbox = Outbox(status)
        self._clock = clock

    def submit(
        self, component: str, action: Action, version: str | None = None, *, request_id: str | None = None
    ) -> str:
        """Write a request and return its id.

        Args:
            component: name of a component that the coordinator knows.
            action: what to do.
            version: SemVer; needed for an update.
            request_id: for callers that must know it beforehand, to find the answer after a crash; default: a UUID.

        Raises:
            RequestInvalidError: the component's name is empty or not text; the caller's fault.
            SpoolUnavailableError: the folder is missing, read-only or full; the message names the remedy.
        """
        try:
            request = Request(
                component=component,
                action=action,
                version=version,
                request_id=request_id or str(uuid.uuid4()),
                timestamp=self._clock.utc(),
            )
            content = request.model_dump_json(exclude_none=True).encode()
        except ValidationError as error:
            raise RequestInvalidError(f"cannot write the request: {format_validation_errors(error)}") from None
        except ValueError:  # pydantic accepts a lone surrogate, but does not serialize it
            raise RequestInvalidError(
                "cannot write the request: version is not text; name one, such as 1.2.3"
            ) from None
        path = self._requests / request_file(request.request_id)
        try:
            write_atomic(path, content)
        except OSError as error:
            raise self._unavailable(error) from None
        return request.request_id

    def expect_writable(self) -> None:
        """Check that a request could be written, without writing one.

        Raises:
            SpoolUnavailableError: as ``submit``.
        """
        try:
            mode = self._requests.stat().st_mode
        except OSError as error:
            raise self._unavailable(error) from None
        if not stat.S_ISDIR(mode):
            raise self._unavailable(NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
        if not os.access(self._requests, os.W_OK | os.X_OK):
            raise self._unavailable(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))

    def _unavailable(self, error: OSError) -> SpoolUnavailableError:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return SpoolMissingError(
                f"cannot write the request: {self._requests} does not exist; is the shared volume mounted there, "
                "and the coordinator installed on the host?"
            )
        what = f"cannot write the request to {self._requests}: {error.strerror}"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return SpoolNotWritableError(f"{what}; make it writable for this user")
        return SpoolUnavailableError(f"{what}; free space on the host's disk, or check its health")

    def withdraw(self, request_id: str) -> bool:
        """Remove a request that was not taken up; return whether it still existed.

        A coordinator that read it just before may still answer.

        Raises:
            OSError: the folder is gone, or this user may not write to it.
        """
        try:
            (self._requests / request_file(request_id)).unlink()
        except FileNotFoundError:
            return False
        return True

    def is_pending(self, request_id: str) -> bool:
        """Whether the request file still exists: not taken up, or not settled yet."""
        return exists(self._requests / request_file(request_id))

    def get_status(self, request_id: str) -> FinalStatus | None:
        """The final status, None while there is none; the file stays for the caller to ``discard``."""
        return self._outbox.read(request_id)

    def progress(self, request_id: str) -> Progress | None:
        """The present progress, None when there is none."""
        return self._outbox.read_progress(request_id)

    def wait_for_status(
        self,
        request_id: str,
        *,
        timeout_s: float,
        on_progress: Callable[[Progress], None] | None = None,
        poll_s: float = POLL_S,
    ) -> FinalStatus:
        """Wait until the final status appears, and return it; the file stays for the caller to delete.

        Args:
            request_id: as ``submit`` returned it.
            timeout_s: how long to wait at most.
            on_progress: called for each new progress, in rising ``seq``.
            poll_s: the pause between two polls, in seconds.

        Raises:
            StatusTimeoutError: ``timeout_s`` passed.
        """
        deadline = self._clock.monotonic() + timeout_s
        seen = -1
        while (final := self.get_status(request_id)) is None:
            if self._clock.monotonic() >= deadline:
                raise StatusTimeoutError(
                    f"cannot determine how {request_id} ended: no answer within {timeout_s:g} s; "
                    "is the coordinator running on the host?"
                )
            progress = self.progress(request_id) if on_progress else None
            if on_progress and progress and progress.seq > seen:
                seen = progress.seq
                on_progress(progress)
            self._clock.sleep(poll_s)
        return final

    def discard(self, request_id: str) -> None:
        """Delete an answer that has been read."""
        (self._outbox.directory / request_file(request_id)).unlink(missing_ok=True)
