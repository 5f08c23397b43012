"""Tells people what happens to requests, and draws the conclusions: versions read anew, health asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from loguru import logger

from protocol.messages import Progress
from protocol.types import Action, Reason
from remote import told
from remote.api.stream import Stream
from remote.gateway.records import Answer, Record
from remote.health.health_registry import HealthRegistry, HealthSource
from remote.overview import Overview
from remote.settings import Settings

_NOTHING_RAN = (Reason.INVALID_REQUEST, Reason.UNKNOWN_COMPONENT, Reason.SCRIPT_MISSING, Reason.SCRIPT_UNSAFE)


class Teller:
    """Listens to the gateway, see ``remote.gateway.gateway.Listener``.

    Args:
        settings: with NATS, heartbeats tell of health, and nobody is asked.
        stream: what people hear.
        overview: told to look again after each update.
        board: learns what health checks found.
        ask_health: has the coordinator check a component.
    """

    def __init__(
        self,
        settings: Settings,
        stream: Stream,
        overview: Overview,
        board: HealthRegistry,
        ask_health: Callable[[str], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._stream = stream
        self._overview = overview
        self._board = board
        self._ask_health = ask_health

    def submitted(self, record: Record) -> None:
        """The request lies in the shared folder."""
        what = " ".join(filter(None, [record.action, record.component, record.version]))
        logger.info("asked for {}: {}", what, record.request_id)
        self._stream.publish(told.progress_event(record, None))

    def progressed(self, record: Record, progress: Progress) -> None:
        """The coordinator, or the script, came further."""
        self._stream.publish(told.progress_event(record, progress))

    async def settled(self, record: Record, keep: Callable[[Record], Awaitable[None]]) -> None:
        """There is an answer: write it down with its number, tell it, and look what is different now."""
        answer = record.answer
        if answer is None:
            return
        await asyncio.to_thread(self._overview.refresh)
        is_configured = record.component in self._settings.components  # or was, when this was asked
        current = self._overview.of(record.component).installed.version if is_configured else None
        answer = answer.model_copy(update={"current": current})
        events = told.answer_events(record, answer, self._settings)
        async with self._stream.turn(*events) as number:
            await keep(record.model_copy(update={"answer": answer, "number": number}))
        logger.info("{} of {}: {}", record.action, record.component, answer.message)
        if is_configured:
            await self._conclude(record, answer)

    async def _conclude(self, record: Record, answer: Answer) -> None:
        if record.action is Action.HEALTH:
            runs = told.runs(answer)
            if runs is not None:  # a check that could not be made takes nothing back of what is known
                self.learn(record.component, runs, HealthSource.HEALTH_CHECK)
            return
        self._tell_comparison()
        if answer.is_final and self._settings.nats.url is None and answer.reason not in _NOTHING_RAN:
            await self._ask_health(record.component)

    def learn(self, component: str, running: bool, how: HealthSource) -> None:
        """Take in whether a component runs."""
        if self._board.record(component, running, how):
            self.tell_standing(component)

    def tell_standing(self, component: str) -> None:
        """Tell everybody that a component runs, or does not, or that nobody knows."""
        self._stream.publish(told.running(component, self._board.of(component)))

    async def look_again(self) -> None:
        """Compare anew what is installed with what is released, and tell everybody."""
        await asyncio.to_thread(self._overview.refresh)
        self._tell_comparison()

    def _tell_comparison(self) -> None:
        self._stream.publish(told.compared(self._overview.all()))
