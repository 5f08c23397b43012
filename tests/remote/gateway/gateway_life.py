"""The gateway in one life of the program, on folders that outlive it, with a coordinator that is played."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hand_clock import HandClock

from protocol.client import Client
from protocol.outbox import Outbox
from remote.gateway.bell import Bell
from remote.gateway.gateway import Gateway
from remote.gateway.records import Records
from remote.settings import GatewaySettings as Limits

DEADLINE_S = 60
LIMITS = Limits(pickup_s=10, timeout_s=100, history=20)


class DiedError(BaseException):
    """This process ends here."""


class Listener:
    """Keeps what it is told, and writes answers down as the real one does."""

    def __init__(self):
        self.progress, self.told = [], []

    def submitted(self, record):
        """Not looked at."""

    def progressed(self, record, news):
        self.progress.append((record.request_id, news.seq))

    async def settled(self, record, keep):
        await keep(record)
        self.told.append(record)


class Life:
    """One life of the program on folders that outlive it."""

    def __init__(self, root, clock=None, dies_at=None):
        self.requests, self.status = root / "requests", root / "status"
        for folder in (self.requests, self.status):
            folder.mkdir(exist_ok=True)
        self.clock = clock or HandClock()
        self.records = Records(root / "records", LIMITS.history)
        self.records.load()
        self.client = Client(self.requests, self.status, self.clock)
        self.bell, self.listener = Bell(self.status), Listener()
        self.outbox = Outbox(self.status)
        self._left, self._looks = dies_at, 0
        self._find = self.client.get_status
        self.client.get_status = self._counted
        for owner, name in ((self.records, "keep"), (self.client, "submit"), (self.client, "discard")):
            setattr(owner, name, self._mortal(getattr(owner, name)))
        self.gateway = Gateway(self.client, self.records, self.bell, LIMITS, self.clock, self.listener)

    def _mortal(self, call):
        """Die before the call, or after it, when it is its turn."""

        def called(*arguments, **options):
            self._step()
            result = call(*arguments, **options)
            self._step()
            return result

        return called

    def _step(self):
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise DiedError

    def _counted(self, request_id):
        self._looks += 1
        return self._find(request_id)

    async def look(self):
        """Look once at the one request, to the end."""
        second = self._looks + 2  # when it begins, the first is over
        self.bell.ring()
        await self.until(lambda: self._looks >= second)

    async def until(self, condition):
        """Follow until something is so."""
        running = asyncio.create_task(self.gateway.run())
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not condition():
                    if running.done():
                        running.result()
                    await asyncio.sleep(0.005)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError, DiedError):
                await running

    async def pass_time(self, seconds, condition):
        """Let time pass on the clock, and see what the next look makes of it."""
        self.clock.sleep(seconds)
        self.bell.ring()
        await self.until(condition)
