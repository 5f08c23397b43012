"""Gateway harness: persistent folders, a simulated coordinator and a manual clock."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from protocol.client import Client
from protocol.outbox import Outbox
from remote.gateway.gateway import Gateway
from remote.gateway.request_follower import RequestFollower
from remote.gateway.status_watcher import StatusWatcher
from remote.settings import GatewaySettings as Limits
from remote.store import StateStore
from tests.support.manual_clock import ManualClock

DEADLINE_S = 60
LIMITS = Limits(pickup_s=10, timeout_s=100, history=20)


class CrashError(BaseException):
    """Simulated crash of the process."""


class RecordingListener:
    """Record progress and settlements; save answers like the real listener."""

    def __init__(self):
        self.progress, self.settlements, self.unrecorded = [], [], []

    def submitted(self, record):
        """Ignored."""

    def progressed(self, record, progress):
        self.progress.append((record.request_id, progress.seq))

    async def settled(self, record, save):
        await save(record)
        self.settlements.append(record)

    def settled_unrecorded(self, record):
        self.unrecorded.append(record)


class GatewayHarness:
    """A process with a gateway; ``crash_at`` is the crash point, counted before and after each write."""

    def __init__(self, root, clock=None, crash_at=None):
        self.requests, self.status = root / "requests", root / "status"
        for folder in (self.requests, self.status):
            folder.mkdir(exist_ok=True)
        self.clock = clock or ManualClock()
        self.store = StateStore(root / "state.sqlite", LIMITS.history)
        self.client = Client(self.requests, self.status, self.clock)
        self.watcher, self.listener = StatusWatcher(self.status), RecordingListener()
        self.outbox = Outbox(self.status)
        self._steps_left = crash_at
        for owner, name in ((self.store, "save"), (self.client, "submit"), (self.client, "discard")):
            setattr(owner, name, self._crashing(getattr(owner, name)))
        self.follower = RequestFollower(self.client, self.store, LIMITS, self.clock, self.listener)
        self.gateway = Gateway(self.client, self.store, self.follower, self.watcher, self.clock)

    def _crashing(self, call):
        """Wrap a call with a crash point before and after it."""

        def called(*arguments, **options):
            self._step()
            result = call(*arguments, **options)
            self._step()
            return result

        return called

    def _step(self):
        if self._steps_left is not None:
            self._steps_left -= 1
            if self._steps_left < 0:
                raise CrashError

    def settled_ids(self):
        """The ids of all settled requests, in order."""
        return [record.request_id for record in self.listener.settlements]

    async def until(self, condition):
        """Run the gateway until a condition holds."""
        running = asyncio.create_task(self.gateway.run())
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not condition():
                    if running.done():
                        running.result()
                    await asyncio.sleep(0.005)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError, CrashError):
                await running

    async def pass_time(self, seconds, condition):
        """Advance the clock, and run the gateway until a condition holds."""
        self.clock.sleep(seconds)
        self.watcher.notify()
        await self.until(condition)
