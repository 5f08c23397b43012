"""``dunebugger-remote serve``: serves the page and the WebSocket."""

from __future__ import annotations

import asyncio
import signal
import socket

import uvicorn
from loguru import logger
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from remote import logs
from remote.app import App
from remote.installed.sources.self_version import own_version
from remote.settings import RemoteSettings

_STOP_S = 5
_LINGER_S = 5.0
_CONNECTIONS = 200  # of all kinds; server.clients of them may be WebSockets


class LingerLimitedProtocol(WebSocketsSansIOProtocol):
    """Aborts the connection if it is still open 5 s after the server has finished with it.

    A closing transport waits until its buffer is drained, which never happens with a client that does not read.
    """

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Start the limit when the server's side has finished."""
        super().on_task_complete(task)
        if not self.disconnected:
            self.loop.call_later(_LINGER_S, self.transport.abort)


class _Server(uvicorn.Server):
    """Logs its address once it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            logger.info(
                "dunebugger-remote {} ready on http://{}:{}", own_version(), f"[{host}]" if ":" in host else host, port
            )


def execute(settings: RemoteSettings) -> int:
    """Serve until SIGTERM or SIGINT; 1 when it could not start, or a part of it failed."""
    logs.set_up()
    app = App(settings)
    config = uvicorn.Config(
        app.asgi,
        host=settings.server.host,
        port=settings.server.port,
        ws=LingerLimitedProtocol,
        ws_max_size=settings.server.message_bytes,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        ws_per_message_deflate=False,  # costs memory per client, and the messages are small
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_STOP_S,
        http="h11",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    server = _Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn sends itself the signal again once it has stopped
    server.run()
    return 0 if server.started and not app.is_broken else 1
