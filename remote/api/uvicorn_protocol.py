"""uvicorn's WebSocket with two rules more: what a client that we let go may cost, and how long it may linger."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_LINGER_S = 5.0


class Wire(WebSocketsSansIOProtocol):
    """A connection that is cut when its client neither reads nor goes, once we have finished with it.

    A transport that is closed waits for its buffer to drain: with a client that never reads, for ever.
    """

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Our side has finished."""
        super().on_task_complete(task)
        if not self.disconnected:
            self.loop.call_later(_LINGER_S, self.transport.abort)
