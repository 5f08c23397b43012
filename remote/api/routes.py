"""HTTP routes: the page, its files, /ws, /healthz and /session."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from remote.api.auth import AccessDenial, Authenticator
from remote.api.connection import Connection
from remote.api.handlers import dispatch
from remote.context import AppContext
from remote.events.bodies import Connected
from remote.events.bus import EventBus
from remote.events.envelope import OutgoingMessage
from remote.installed.sources.self_version import own_version

WEB = Path(__file__).parents[1] / "web"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",  # revalidated with 304 each time: an update of this program is visible at once
}


class Routes:
    """The ASGI application.

    Args:
        context: the services that the handlers use.
        bus: every connection subscribes to it.
        authenticator: decides which clients may connect.
        lifespan: entered at start, left at shutdown.
    """

    def __init__(
        self,
        context: AppContext,
        bus: EventBus,
        authenticator: Authenticator,
        lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
    ) -> None:
        self._context = context
        self._bus = bus
        self._authenticator = authenticator
        self._connections = 0
        self.app = Starlette(
            routes=[
                Route("/", self._page),
                Route("/healthz", self._healthz),
                Route("/session", self._session),
                WebSocketRoute("/ws", self._websocket),
                Mount("/static", StaticFiles(directory=WEB)),
            ],
            middleware=[Middleware(_SecurityHeaders)],
            lifespan=lifespan,
        )

    async def _page(self, _request: Request) -> Response:
        return FileResponse(WEB / "index.html")

    async def _healthz(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": own_version()})

    async def _session(self, request: Request) -> Response:
        """Whether a page may open the WebSocket: browsers do not report why one was rejected."""
        if denial := self._authenticator.authenticate(request.headers):
            challenge = {"WWW-Authenticate": "Bearer"} if denial.status == 401 else {}  # noqa: PLR2004  RFC 6750
            return JSONResponse({"message": denial.message}, denial.status, challenge)
        return JSONResponse({"token_required": self._authenticator.needs_token})

    async def _websocket(self, websocket: WebSocket) -> None:
        offered = websocket.scope["subprotocols"]
        if denial := self._denial(websocket, offered):
            await websocket.send_denial_response(PlainTextResponse(denial.message, denial.status))
            return
        context = self._context
        connection = Connection(websocket, context.settings.server, context.clock, partial(dispatch, context))
        self._connections += 1
        try:
            self._bus.subscribe(connection, _since(websocket), partial(self._send_connected, connection))
            await connection.serve(offered)
        finally:
            self._bus.unsubscribe(connection)
            self._connections -= 1

    def _denial(self, websocket: WebSocket, offered: list[str]) -> AccessDenial | None:
        if self._connections >= self._context.settings.server.clients:
            return AccessDenial(503, "cannot accept this client: too many; close another one, or raise server.clients")
        return self._authenticator.authenticate(websocket.headers, offered)

    def _send_connected(self, connection: Connection, is_complete: bool) -> None:
        body = Connected(seq=self._bus.last, complete=is_complete, version=own_version())
        connection.enqueue(OutgoingMessage(body, "client"))


def _since(websocket: WebSocket) -> int | None:
    """The last event number that a client received; None for an invalid one, as for a first visit."""
    text = websocket.query_params.get("since", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 17 else None  # noqa: PLR2004  2⁵³ has 16


class _SecurityHeaders:
    """Middleware: adds the security headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
