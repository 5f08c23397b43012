"""``dunebugger-remote serve``: the page, the WebSocket, and everything behind them."""

from __future__ import annotations

import signal
import socket

import uvicorn
from loguru import logger

from remote import logs
from remote.api.wire import Wire
from remote.app import App
from remote.installed.sources.self_version import own_version
from remote.settings import Settings

_STOP_S = 5
_CONNECTIONS = 200  # of all kinds; the door lets server.clients of them through


class _Server(uvicorn.Server):
    """Says where it listens, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            logger.info(
                "dunebugger-remote {} ready on http://{}:{}", own_version(), f"[{host}]" if ":" in host else host, port
            )


def execute(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; 1 when it could not begin, or could not go on."""
    logs.set_up()
    app = App(settings)
    config = uvicorn.Config(
        app.site.app,
        host=settings.server.host,
        port=settings.server.port,
        ws=Wire,
        ws_max_size=settings.server.message_bytes,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        ws_per_message_deflate=False,  # costs memory per client, and what we send is small
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
