"""Run coroutines to completion even if the awaiting client disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_FINISH_S = 3.0
_Result = TypeVar("_Result")


class BackgroundTasks:
    """Tasks that outlive the cancellation of their callers."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Await ``work``; a cancelled caller does not cancel it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def finish(self, timeout_s: float = _FINISH_S) -> None:
        """Wait for the running tasks, then cancel what takes longer than ``timeout_s``, such as a remote server."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
