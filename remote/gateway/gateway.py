"""Gateway to the host: submits requests through the shared folder, and runs the loop that follows them.

A pass polls every open request; the status watcher only wakes it. After a restart the open records are followed in the
same loop: there is no second path.
"""

from __future__ import annotations

import asyncio
import uuid

from loguru import logger

from protocol.client import Client
from protocol.clock import Clock
from protocol.messages import Progress
from protocol.types import Action, ProtocolError
from remote.gateway.errors import FailureCode, SubmitError, submit_error
from remote.gateway.request_follower import RequestFollower
from remote.gateway.status_watcher import StatusWatcher
from remote.state_database import StoreError
from remote.store import StateStore
from remote.submission import SubmissionRecord


class Gateway:
    """Submits requests and follows them: the only way of this program to the shared folders.

    Args:
        client: writes requests.
        store: the records of all requests.
        follower: follows the submitted requests.
        watcher: wakes the loop when ``status/`` changes.
        clock: for stamps.
    """

    def __init__(
        self, client: Client, store: StateStore, follower: RequestFollower, watcher: StatusWatcher, clock: Clock
    ) -> None:
        self._client = client
        self._store = store
        self._follower = follower
        self._watcher = watcher
        self._clock = clock

    async def submit(
        self, component: str, action: Action, version: str | None = None, *, automatic: bool = False
    ) -> SubmissionRecord:
        """Write a request, to be followed by this process or the next one.

        Args:
            component: as the coordinator knows it.
            action: what to do.
            version: for an update.
            automatic: whether no client requested it.

        Raises:
            SubmitError: no request was submitted. The operator fixes it.
        """
        record = SubmissionRecord(
            request_id=str(uuid.uuid4()),
            component=component,
            action=action,
            version=version,
            asked_at=self._clock.utc(),
            automatic=automatic,
        )
        await asyncio.to_thread(self._write, record, action)
        self._follower.follow(record)
        self._watcher.notify()
        return record

    async def require_writable(self) -> None:
        """Check that a request could be written now.

        Raises:
            SubmitError: as ``submit``.
        """
        try:
            await asyncio.to_thread(self._client.expect_writable)
        except ProtocolError as error:
            raise submit_error(error) from None

    def _write(self, record: SubmissionRecord, action: Action) -> None:
        """Record first, request second: every answer finds its record."""
        try:
            self._store.save(record)
        except StoreError as error:
            raise SubmitError(FailureCode.CANNOT_KEEP, f"cannot record the request: {error}") from None
        try:
            self._client.submit(record.component, action, record.version, request_id=record.request_id)
        except ProtocolError as error:
            self._delete(record.request_id)
            raise submit_error(error) from None

    def _delete(self, request_id: str) -> None:
        try:
            self._store.delete(request_id)
        except StoreError as error:
            logger.warning("cannot delete the record of {}, which was not submitted: {}", request_id, error)

    def records(self) -> list[SubmissionRecord]:
        """All recorded requests, the oldest first."""
        return list(self._store)

    def outstanding(self) -> list[tuple[SubmissionRecord, Progress | None]]:
        """All followed requests without an answer, the oldest first, and their latest progress."""
        return self._follower.outstanding()

    async def run(self) -> None:
        """Follow all open requests until cancelled."""
        self._watcher.start()
        try:
            await asyncio.to_thread(self._follower.discard_recorded)
            while True:
                await self._follower.poll_all()
                await self._watcher.wait(is_urgent=self._follower.has_deadline())
        finally:
            self._watcher.stop()
