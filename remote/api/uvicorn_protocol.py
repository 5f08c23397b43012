"""uvicorn's WebSocket protocol, with a limit on how long a client that was dropped may linger."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_LINGER_S = 5.0


class LingerLimitedProtocol(WebSocketsSansIOProtocol):
    """Aborts the connection when the client has not left within 5 s after the server finished with it.

    A transport that is closed waits until its buffer is drained, which never happens with a client that does not read.
    """

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Start the limit when the server's side has finished."""
        super().on_task_complete(task)
        if not self.disconnected:
            self.loop.call_later(_LINGER_S, self.transport.abort)
