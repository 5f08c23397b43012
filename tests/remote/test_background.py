"""Work that is finished even if the one who asked for it has gone."""

from __future__ import annotations

import asyncio

import pytest

from remote import background as undisturbed
from remote.background import Undisturbed


def test_work_goes_on_when_nobody_waits_any_more():
    """Whoever waited is cancelled, the work is not."""

    async def story():
        work, may_end, ended = Undisturbed(), asyncio.Event(), []

        async def long():
            await may_end.wait()
            ended.append(True)

        waiting = asyncio.create_task(work.do(long()))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        may_end.set()
        await work.finish()
        return ended

    assert asyncio.run(story()) == [True]


def test_the_end_waits_for_work_that_is_going_on():
    """A request that is being written is written."""

    async def story():
        work, ended = Undisturbed(), []

        async def short():
            await asyncio.sleep(0.05)
            ended.append(True)

        waiting = asyncio.create_task(work.do(short()))
        await asyncio.sleep(0)
        await work.finish()
        await waiting
        return ended

    assert asyncio.run(story()) == [True]


def test_the_end_does_not_wait_for_ever(monkeypatch):
    """What takes too long is given up: a container that is stopped has ten seconds."""
    monkeypatch.setattr(undisturbed, "_FINISH_S", 0.01)

    async def story():
        work = Undisturbed()
        waiting = asyncio.create_task(work.do(asyncio.Event().wait()))
        await asyncio.sleep(0)
        await work.finish()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(asyncio.wait_for(story(), 60))
