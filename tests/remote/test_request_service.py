"""Background tasks: work that continues after its caller is cancelled."""

from __future__ import annotations

import asyncio

import pytest

from remote.request_service import BackgroundTasks


def test_background_tasks_complete_when_their_caller_is_cancelled():
    """Only the caller is cancelled; the work runs to completion."""

    async def scenario():
        work, may_end, ended = BackgroundTasks(), asyncio.Event(), []

        async def long():
            await may_end.wait()
            ended.append(True)

        waiting = asyncio.create_task(work.run(long()))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        may_end.set()
        await work.finish()
        return ended

    assert asyncio.run(scenario()) == [True]


def test_background_tasks_finish_waits_for_running_work():
    """``finish`` returns after a request that is being written is complete."""

    async def scenario():
        work, ended = BackgroundTasks(), []

        async def short():
            await asyncio.sleep(0.05)
            ended.append(True)

        waiting = asyncio.create_task(work.run(short()))
        await asyncio.sleep(0)
        await work.finish()
        await waiting
        return ended

    assert asyncio.run(scenario()) == [True]


def test_background_tasks_finish_cancels_work_that_takes_too_long():
    """The wait is bounded, because Docker stops a container after ten seconds (I16)."""

    async def scenario():
        work = BackgroundTasks()
        waiting = asyncio.create_task(work.run(asyncio.Event().wait()))
        await asyncio.sleep(0)
        await work.finish(timeout_s=0.01)
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(asyncio.wait_for(scenario(), 60))
