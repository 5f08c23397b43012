"""Work that is finished even if the one who asked for it has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_FINISH_S = 3.0
_Result = TypeVar("_Result")


class Undisturbed:
    """Runs coroutines that a client which leaves must not stop half-way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def do(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Await ``work``; when the waiting is cancelled, the work is not."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Let what is going on come to its end, and give up what takes long: it waits for a server far away."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_FINISH_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
