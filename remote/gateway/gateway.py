"""Asks the host, follows what it does, and takes each answer exactly once.

A pass looks at everything that is open; the bell only asks for one. A restart finds the open records and goes on: there
is no second path.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from loguru import logger

from protocol.client import Client
from protocol.clock import Clock
from protocol.messages import FinalStatus, Progress
from protocol.types import Action, ProtocolError
from remote.gateway import verdicts
from remote.gateway.bell import Bell
from remote.gateway.errors import CannotAskError, Trouble, cannot_ask
from remote.gateway.records import Answer, Record, Records
from remote.settings import GatewaySettings as Limits

_GRACE_S = 2.0  # for a coordinator that read a request in the very moment in which it was withdrawn


class Listener(Protocol):
    """Who is told what happens to requests."""

    def submitted(self, record: Record) -> None:
        """The request lies in the shared folder."""

    def progressed(self, record: Record, progress: Progress) -> None:
        """The coordinator, or the script, came further."""

    async def settled(self, record: Record, keep: Callable[[Record], Awaitable[None]]) -> None:
        """There is an answer; tell it to people once ``keep`` has written it down with its number."""


@dataclass
class _Following:
    """A record whose answer may still come, and what this process saw of it."""

    since: float
    progress: Progress | None = None
    gone_since: float | None = None  # the request, from the folder: withdrawn by us, or lost
    is_withdrawn: bool = False

    @property
    def seq(self) -> int:
        return -1 if self.progress is None else self.progress.seq


class Gateway:
    """The only one in this program who touches the shared folders.

    Args:
        client: the asking side of the shared folders.
        records: what was asked before, loaded.
        bell: rings when ``status/`` changed.
        limits: how long to wait for what.
        clock: for stamps and deadlines.
        listener: told of everything that happens.
    """

    def __init__(
        self, client: Client, records: Records, bell: Bell, limits: Limits, clock: Clock, listener: Listener
    ) -> None:
        self._client = client
        self._records = records
        self._bell = bell
        self._limits = limits
        self._clock = clock
        self._listener = listener
        self._open: dict[str, _Following] = {}
        self._trouble = ""

    async def ask(
        self, component: str, action: Action, version: str | None = None, *, automatic: bool = False
    ) -> Record:
        """Write a request that will be followed, also by a successor of this process.

        Args:
            component: as the coordinator knows it.
            action: what to do.
            version: for an update.
            automatic: whether nobody asked for it.

        Raises:
            CannotAskError: nothing was asked; the operator's to mend.
        """
        record = Record(
            request_id=str(uuid.uuid4()),
            component=component,
            action=action,
            version=version,
            asked_at=self._clock.utc(),
            automatic=automatic,
        )
        await asyncio.to_thread(self._write, record)
        self._open[record.request_id] = _Following(self._clock.monotonic())
        self._listener.submitted(record)
        self._bell.ring()
        return record

    async def expect_ready(self) -> None:
        """Do nothing where a request could be written now.

        Raises:
            CannotAskError: as ``ask`` would.
        """
        try:
            await asyncio.to_thread(self._client.expect_writable)
        except ProtocolError as error:
            raise cannot_ask(error) from None

    def _write(self, record: Record) -> None:
        """Record first, request second: an answer always finds its record."""
        try:
            self._records.keep(record)
        except OSError as error:
            message = f"cannot remember the request: {error.filename}: {error.strerror}; let this user write there"
            raise CannotAskError(Trouble.CANNOT_KEEP, message) from None
        try:
            self._client.submit(record.component, record.action, record.version, request_id=record.request_id)
        except ProtocolError as error:
            self._records.forget(record.request_id)
            raise cannot_ask(error) from None

    def standing(self) -> list[tuple[Record, Progress | None]]:
        """All requests that have no answer yet, and how far they are known to be."""
        return [
            (record, self._open[record.request_id].progress if record.request_id in self._open else None)
            for record in self._records
            if record.answer is None
        ]

    async def run(self) -> None:
        """Follow all that is open, until cancelled."""
        self._bell.start()
        try:
            await asyncio.to_thread(self._discard_what_was_taken)
            now = self._clock.monotonic()
            self._open = {record.request_id: _Following(now) for record in self._records if record.is_open} | self._open
            while True:
                await self._look_at_all()
                await self._bell.wait(is_urgent=any(record.answer is None for record in self._records))
        finally:
            self._bell.stop()

    def _discard_what_was_taken(self) -> None:
        """Answers that an earlier process had written down, but not yet removed from the shared folder."""
        for record in self._records:
            if not record.is_open:
                self._discard(record.request_id)

    async def _look_at_all(self) -> None:
        for request_id in list(self._open):
            try:
                await self._look(request_id)
            except OSError as error:  # our own disk: nothing is taken that could not be written down
                self._complain(f"cannot write down what became of {request_id}: {error.strerror}; trying again")
            except Exception as error:  # noqa: BLE001  a fault of ours in one request must not keep the others waiting
                self._complain(f"cannot follow {request_id}: {error!r}; trying again")

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.error(trouble)
        self._trouble = trouble

    async def _look(self, request_id: str) -> None:
        """One open request: is there an answer, is there progress, or has it taken too long?"""
        record, following = self._records.get(request_id), self._open[request_id]
        if record is None:
            del self._open[request_id]
            return
        final = await asyncio.to_thread(self._client.get_status, request_id)
        if final is not None:
            await self._take(record, final)
            return
        progress = await asyncio.to_thread(self._client.progress, request_id)
        if progress is not None and progress.seq > following.seq:
            following.progress = progress
            self._listener.progressed(record, progress)
        if record.answer is None:
            await self._judge(record, following)

    async def _take(self, record: Record, final: FinalStatus) -> None:
        """Write it down, tell it, and only then remove it from the shared folder."""
        if record.is_open:  # else it was told already, and what came after that failed
            answer = Answer.of(final, is_late=record.answer is not None)
            await self._settle(record.model_copy(update={"answer": answer}))
        del self._open[record.request_id]
        await asyncio.to_thread(self._discard, record.request_id)
        await asyncio.to_thread(self._records.prune)

    async def _judge(self, record: Record, following: _Following) -> None:
        """Give up on a request that nobody takes up, and our patience with one that takes too long."""
        now = self._clock.monotonic()
        is_taken_up = following.progress is not None
        if following.gone_since is not None and not is_taken_up:
            if now - following.gone_since >= _GRACE_S:
                judge = verdicts.not_running if following.is_withdrawn else verdicts.lost
                await self._give_verdict(record, judge(record, self._clock.utc()))
        elif not is_taken_up and now - following.since >= self._limits.pickup_s:
            await self._withdraw(record, following)
        elif now - following.since >= self._limits.timeout_s:
            await self._give_verdict(record, verdicts.no_answer(record, self._clock.utc(), self._limits.timeout_s))

    async def _withdraw(self, record: Record, following: _Following) -> None:
        try:
            following.is_withdrawn = await asyncio.to_thread(self._client.withdraw, record.request_id)
        except OSError as error:
            logger.warning("cannot withdraw the request {}: {}", record.request_id, error)
            await self._give_verdict(record, verdicts.stays(record, self._clock.utc()))
            return
        following.gone_since = self._clock.monotonic()

    async def _give_verdict(self, record: Record, answer: Answer) -> None:
        """Say what we can say; the coordinator's answer is still taken, should it come."""
        await self._settle(record.model_copy(update={"answer": answer}))

    async def _settle(self, record: Record) -> None:
        async def keep(numbered: Record) -> None:
            await asyncio.to_thread(self._records.keep, numbered)

        await self._listener.settled(record, keep)

    def _discard(self, request_id: str) -> None:
        try:
            self._client.discard(request_id)
        except OSError as error:
            logger.warning("cannot remove the answer to {}: {}; the host removes it in a week", request_id, error)
