"""Heartbeats over NATS: components are asked whether they live, and whatever they say proves it for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NoReturn

from loguru import logger

from protocol.clock import Clock
from remote.health import heartbeat_messages as words
from remote.health.health_registry import Board, How
from remote.health.liveness import Lifetimes
from remote.health.nats_connection import Line, LineLostError
from remote.settings import SELF, NatsSettings

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_REASONS_TOLD = 5


class Heartbeats:
    """Asks, listens, and puts on the board what follows from it.

    Nothing is held against a component that we could not hear: while there is no line to the server, what heartbeats
    told is unknown again, and with a new line everyone's time to live starts anew.

    Args:
        settings: where the server is, and the times; without ``url`` there is nothing to do.
        token: what the server asks for; None when it asks for none.
        components: the names of all; of ourselves and of those that cannot be asked, heartbeats tell nothing.
        board: learns what changes.
        changed: is told the component whose ``running`` changed.
        clock: by which silence is measured.
    """

    def __init__(
        self,
        settings: NatsSettings,
        token: str | None,
        components: Sequence[str],
        board: Board,
        changed: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._token = token
        self._others = [name for name in components if name != SELF and words.can_be_asked(name)]
        self._named = _names(settings.subject_root, self._others)
        self._board = board
        self._changed = changed
        self._clock = clock
        self._lifetimes = Lifetimes(self._others, settings.interval_s, settings.alive_s)
        self._told: set[str] = set()

    async def run(self) -> None:
        """Keep a line to the server, and ask and listen on it, until cancelled."""
        if self._settings.url is None:
            return
        longest_s = min(_LONGEST_PAUSE_S, self._settings.interval_s)
        pause_s = min(_FIRST_PAUSE_S, longest_s)
        while True:
            began = self._clock.monotonic()
            reason = await self._use_line(self._settings.url)
            self._tell(reason)
            self._forget()
            if self._clock.monotonic() - began > longest_s:
                pause_s = min(_FIRST_PAUSE_S, longest_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, longest_s)

    async def _use_line(self, url: str) -> str:
        """Ask and listen for as long as the line lasts; return why it ended."""
        line = Line(url, self._token, self._settings.subject_root, self._hear)
        try:
            await line.open()
            self._told.clear()
            logger.info(f"listening for heartbeats at {_place(url)}")
            return await self._watch(line)
        except LineLostError as error:
            return str(error)
        finally:
            await line.close()

    async def _watch(self, line: Line) -> NoReturn:
        next_round = self._clock.monotonic()
        self._lifetimes.begin(next_round)
        while True:
            if self._clock.monotonic() >= next_round:
                next_round = self._clock.monotonic() + self._settings.interval_s
                await self._ask(line)
            await self._judge(line)
            next_event = min(next_round, self._lifetimes.next_end())
            await line.pause(max(0.0, next_event - self._clock.monotonic()))

    async def _ask(self, line: Line) -> None:
        for component in self._others:
            await line.say(*words.question(self._settings.subject_root, component))
        self._lifetimes.asked(self._clock.monotonic())
        await line.round_trip()

    async def _judge(self, line: Line) -> None:
        """Tell who does not run; not before all that was said has been heard."""
        now = self._clock.monotonic()
        if self._lifetimes.next_end() > now:
            return
        await line.round_trip()
        for component in self._lifetimes.take_ended(now):
            self._learn(component, running=False)

    def _hear(self, content: bytes) -> None:
        component = self._named.get(words.speaker(content) or "")
        if component is not None:
            self._lifetimes.heard(component, self._clock.monotonic())
            self._learn(component, running=True)

    def _learn(self, component: str, *, running: bool) -> None:
        """Put on the board what is news: a heartbeat more does not change since when a component runs."""
        known = self._board.of(component)
        if (known.running, known.how) == (running, How.HEARTBEAT):
            return
        if self._board.learn(component, running, How.HEARTBEAT):
            self._changed(component)

    def _forget(self) -> None:
        """Take back what heartbeats told; what was learned otherwise is as true as before."""
        for component in self._others:
            if self._board.of(component).how is How.HEARTBEAT and self._board.learn(component, None, None):
                self._changed(component)

    def _tell(self, reason: str) -> None:
        """Log why there is no line; each reason once, and not many, until there is one again."""
        if reason in self._told or len(self._told) >= _REASONS_TOLD:
            return
        self._told.add(reason)
        place = _place(self._settings.url or "")
        logger.warning(
            f"cannot hear whether components run: NATS at {place}: {reason}; trying on; see [nats] in the configuration"
        )


def _names(root: str, components: Sequence[str]) -> dict[str, str]:
    """Components by what they may call themselves, in lower case: their name, or that after the root and a dash."""
    long = {f"{root}-{component}".lower(): component for component in components}
    return {**long, **{component.lower(): component for component in components}}


def _place(url: str) -> str:
    """Host and port of a server's URL, without the password that may be in it."""
    return url.rpartition("://")[2].rpartition("@")[2]
