"""uvicorn's WebSocket protocol, with a time limit on the closing of a connection."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_LINGER_S = 5.0


class LingerLimitedProtocol(WebSocketsSansIOProtocol):
    """Aborts the connection if it is still open 5 s after the server has finished with it.

    A closing transport waits until its buffer is drained, which never happens with a client that does not read.
    """

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Start the limit when the server's side has finished."""
        super().on_task_complete(task)
        if not self.disconnected:
            self.loop.call_later(_LINGER_S, self.transport.abort)
