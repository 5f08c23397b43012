"""Follows submitted requests: polls each until it has its answer, and takes each answer exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from loguru import logger

from protocol.client import Client
from protocol.clock import Clock
from protocol.messages import FinalStatus, Progress
from remote.gateway import local_outcomes
from remote.settings import GatewaySettings as Limits
from remote.state_database import StoreError
from remote.store import StateStore
from remote.submission import RecordedAnswer, SubmissionRecord

MAX_FAILURES = 20  # in a row, for one request: about an hour with the pauses between them
_FIRST_RETRY_S, _LAST_RETRY_S = 1.0, 300.0
_GRACE_S = 2.0  # for a coordinator that read a request at the moment it was withdrawn


class RequestListener(Protocol):
    """Observes the requests that are followed."""

    def submitted(self, record: SubmissionRecord) -> None:
        """The request was written to the shared folder."""

    def progressed(self, record: SubmissionRecord, progress: Progress) -> None:
        """The coordinator or the script made progress."""

    async def settled(self, record: SubmissionRecord, save: Callable[[SubmissionRecord], Awaitable[None]]) -> None:
        """There is an answer: record it with ``save`` and its event number, then announce it."""

    def settled_unrecorded(self, record: SubmissionRecord) -> None:
        """There is a local outcome that cannot be recorded: announce it."""


@dataclass
class _Followed:
    """The state of an open request in this process; instants are monotonic seconds.

    Attributes:
        since: when this process began to follow it.
        gone_since: since when the request is absent from the shared folder: withdrawn, or lost.
        failures: polls that failed in a row.
        retry_at: the earliest time of the next poll.
    """

    since: float
    progress: Progress | None = None
    gone_since: float | None = None
    is_withdrawn: bool = False
    failures: int = 0
    retry_at: float = 0.0

    @property
    def seq(self) -> int:
        return -1 if self.progress is None else self.progress.seq


class RequestFollower:
    """Follows the requests whose record in the store is open, in this process or an earlier one.

    Args:
        client: reads statuses, withdraws requests.
        store: the records of all requests.
        limits: time limits for the host's answers.
        clock: for stamps and deadlines.
        listener: observes everything that happens.
    """

    def __init__(
        self, client: Client, store: StateStore, limits: Limits, clock: Clock, listener: RequestListener
    ) -> None:
        self._client = client
        self._store = store
        self._limits = limits
        self._clock = clock
        self._listener = listener
        self._open = {record.request_id: _Followed(clock.monotonic()) for record in store if record.is_open}

    def follow(self, record: SubmissionRecord) -> None:
        """Begin to follow a request that was submitted now, and announce it."""
        self._open[record.request_id] = _Followed(self._clock.monotonic())
        self._listener.submitted(record)

    def outstanding(self) -> list[tuple[SubmissionRecord, Progress | None]]:
        """All followed requests without an answer, the oldest first, and their latest progress."""
        return [
            (record, self._open[record.request_id].progress)
            for record in self._store
            if record.answer is None and record.request_id in self._open
        ]

    def discard_recorded(self) -> None:
        """Remove the answers that an earlier process recorded, but did not remove from the shared folder."""
        for record in self._store:
            if not record.is_open:
                self._discard(record.request_id)

    def has_deadline(self) -> bool:
        """Whether a deadline or a retry is near, so that polling must not wait for the watcher."""
        return bool(self.outstanding()) or any(followed.failures for followed in self._open.values())

    async def poll_all(self) -> None:
        """Poll every open request; one that fails never stops the others, and is not followed after a limit (I16)."""
        for request_id, followed in list(self._open.items()):
            if self._clock.monotonic() < followed.retry_at:
                continue
            try:
                await self._poll(request_id, followed)
            except Exception as error:  # noqa: BLE001  no error of one request may stop the polls of the others
                await self._on_failure(request_id, followed, error)
            else:
                followed.failures = 0

    async def _on_failure(self, request_id: str, followed: _Followed, error: Exception) -> None:
        followed.failures += 1
        if followed.failures >= MAX_FAILURES:
            await self._stop_following(request_id, error)
            return
        if followed.failures == 1:
            logger.error("cannot follow {}: {!r}; retrying", request_id, error)
        pause_s = min(_FIRST_RETRY_S * 2 ** (followed.failures - 1), _LAST_RETRY_S)
        followed.retry_at = self._clock.monotonic() + pause_s

    async def _stop_following(self, request_id: str, error: Exception) -> None:
        """End a request that cannot be followed with a local outcome, until the next start follows it again."""
        logger.error(
            "cannot follow {}: {!r}, {} times in a row; no longer followed until the next start",
            request_id,
            error,
            MAX_FAILURES,
        )
        self._open.pop(request_id, None)
        record = self._store.get(request_id)
        if record is None or record.answer is not None:
            return
        answer = local_outcomes.cannot_follow(record, self._clock.utc(), error, MAX_FAILURES)
        outcome = record.model_copy(update={"answer": answer})
        try:
            await self._settle(outcome)
        except StoreError:
            self._listener.settled_unrecorded(outcome)
        except Exception:  # noqa: BLE001  the terminal outcome is in the log
            logger.exception("cannot announce the outcome of {}", request_id)

    async def _poll(self, request_id: str, followed: _Followed) -> None:
        """Poll one open request: read its answer, else its progress, and check its deadlines."""
        record = self._store.get(request_id)
        if record is None:
            del self._open[request_id]
            return
        final = await asyncio.to_thread(self._client.get_status, request_id)
        if final is not None:
            await self._take(record, final)
            return
        progress = await asyncio.to_thread(self._client.progress, request_id)
        if progress is not None and progress.seq > followed.seq:
            followed.progress = progress
            self._listener.progressed(record, progress)
        if record.answer is None:
            await self._check_deadlines(record, followed)

    async def _take(self, record: SubmissionRecord, final: FinalStatus) -> None:
        """Record the answer, announce it, and only then remove it from the shared folder (I2)."""
        if record.is_open:  # else it was recorded and announced by a poll that failed after that
            answer = RecordedAnswer.from_status(final, is_late=record.answer is not None)
            await self._settle(record.model_copy(update={"answer": answer}))
        del self._open[record.request_id]
        await asyncio.to_thread(self._discard, record.request_id)
        await asyncio.to_thread(self._prune)

    async def _check_deadlines(self, record: SubmissionRecord, followed: _Followed) -> None:
        """Withdraw a request that the coordinator does not take up; report one that takes too long."""
        now = self._clock.monotonic()
        is_taken_up = followed.progress is not None
        if followed.gone_since is not None and not is_taken_up:
            if now - followed.gone_since >= _GRACE_S:
                outcome = local_outcomes.not_running if followed.is_withdrawn else local_outcomes.lost
                await self._settle_locally(record, outcome(record, self._clock.utc()))
        elif not is_taken_up and now - followed.since >= self._limits.pickup_s:
            await self._withdraw(record, followed)
        elif now - followed.since >= self._limits.timeout_s:
            answer = local_outcomes.no_answer(record, self._clock.utc(), self._limits.timeout_s)
            await self._settle_locally(record, answer)

    async def _withdraw(self, record: SubmissionRecord, followed: _Followed) -> None:
        try:
            followed.is_withdrawn = await asyncio.to_thread(self._client.withdraw, record.request_id)
        except OSError as error:
            logger.warning("cannot withdraw the request {}: {}", record.request_id, error)
            await self._settle_locally(record, local_outcomes.not_withdrawn(record, self._clock.utc()))
            return
        followed.gone_since = self._clock.monotonic()

    async def _settle_locally(self, record: SubmissionRecord, answer: RecordedAnswer) -> None:
        """Report a local outcome; the request stays open, and a later answer of the coordinator replaces it."""
        await self._settle(record.model_copy(update={"answer": answer}))

    async def _settle(self, record: SubmissionRecord) -> None:
        async def save(numbered: SubmissionRecord) -> None:
            await asyncio.to_thread(self._store.save, numbered)

        await self._listener.settled(record, save)

    def _discard(self, request_id: str) -> None:
        try:
            self._client.discard(request_id)
        except OSError as error:
            logger.warning("cannot remove the answer to {}: {}; the host removes it later", request_id, error)

    def _prune(self) -> None:
        try:
            self._store.prune()
        except StoreError as error:
            logger.warning("cannot delete old records: {}; trying again after the next answer", error)
