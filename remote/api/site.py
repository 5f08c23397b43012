"""The routes: the page, its files, /ws, /healthz and /session."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from remote.api import envelope
from remote.api.connection import Connection
from remote.api.dispatch import Dispatcher
from remote.api.door import Door, Refusal
from remote.house import House
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
    "Cache-Control": "no-cache",  # asked for each time, answered with 304: an update of ours shows at once
}


class Site:
    """What is served.

    Args:
        house: what the subjects work with.
        door: judges who may come in.
        living: what runs as long as the site does.
    """

    def __init__(
        self, house: House, door: Door, living: Callable[[Starlette], AbstractAsyncContextManager[None]]
    ) -> None:
        self._house = house
        self._door = door
        self._dispatcher = Dispatcher(house)
        self._connections = 0
        self.app = Starlette(
            routes=[
                Route("/", self._page),
                Route("/healthz", self._healthz),
                Route("/session", self._session),
                WebSocketRoute("/ws", self._websocket),
                Mount("/static", StaticFiles(directory=WEB)),
            ],
            middleware=[Middleware(_Headers)],
            lifespan=living,
        )

    async def _page(self, _request: Request) -> Response:
        return FileResponse(WEB / "index.html")

    async def _healthz(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": own_version()})

    async def _session(self, request: Request) -> Response:
        """Whether a page may open the WebSocket: a browser does not tell it why that was refused."""
        if refusal := self._door.judge(request.headers):
            challenge = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}  # noqa: PLR2004  RFC 6750
            return JSONResponse({"message": refusal.message}, refusal.status, challenge)
        return JSONResponse({"token_required": self._door.needs_token})

    async def _websocket(self, websocket: WebSocket) -> None:
        offered = websocket.scope["subprotocols"]
        if refusal := self._refusal(websocket, offered):
            await websocket.send_denial_response(PlainTextResponse(refusal.message, refusal.status))
            return
        connection = Connection(websocket, self._house.settings.server, self._house.clock, self._dispatcher.dispatch)
        self._connections += 1
        try:
            self._house.stream.join(connection, _since(websocket), self._welcome)
            await connection.serve(offered)
        finally:
            self._house.stream.leave(connection)
            self._connections -= 1

    def _refusal(self, websocket: WebSocket, offered: list[str]) -> Refusal | None:
        if self._connections >= self._house.settings.server.clients:
            return Refusal(503, "cannot let you in: too many clients; close another one, or raise server.clients")
        return self._door.judge(websocket.headers, offered)

    def _welcome(self, is_complete: bool) -> str:
        body = {"seq": self._house.stream.last, "complete": is_complete, "version": own_version()}
        return envelope.answer("connected", body, "client")


def _since(websocket: WebSocket) -> int | None:
    """The last number that a client saw before; what is none counts as never having been here."""
    text = websocket.query_params.get("since", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 17 else None  # noqa: PLR2004  2⁵³ has 16


class _Headers:
    """Adds the headers that keep a page from doing, and others from doing with it, what it is not for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
