"""Fake server with the WebSocket protocol of the page; tests define its messages."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from pathlib import Path

import message_bodies as bodies
import uvicorn
from starlette.applications import Starlette
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocketDisconnect

WEB = Path(__file__).resolve().parents[3] / "remote" / "web"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
DEADLINE_S = 20
LAST_INITIAL_SUBJECT = "controller.system_info"  # the last message that a page sends after it has connected


class FakeServer:
    """Fake server; every public method may be called from the test's thread."""

    def __init__(self, token: str | None = None) -> None:
        self.token = token
        self.version = "1.3.0"
        self.components = bodies.components()
        self.history = bodies.history()
        self.outstanding: list[dict] = []
        self.received: list[dict] = []  # the messages of pages, without heartbeats
        self.sinces: list[str | None] = []  # the ``since`` of each connection
        self.complete = True
        self.on_action = None  # called with (subject, body) in the server's loop, for a scripted answer
        self.is_silent = False  # whether messages get no answer, like on a connection that is lost without an event
        self.early_progress: dict | None = None  # progress that is sent just before the list of outstanding requests
        self._is_offline = False
        self._events: list[dict] = []
        self._sockets: set = set()
        self._initializing: set = set()  # the connections whose page has not received its initial answers
        self._message_received = threading.Condition()
        app = Starlette(
            routes=[
                Route("/", self._page),
                Route("/session", self._session),
                WebSocketRoute("/ws", self._connection),
                Mount("/static", StaticFiles(directory=WEB)),
            ]
        )
        config = uvicorn.Config(
            self._with_policy(app), host="127.0.0.1", port=0, log_level="error", ws="websockets-sansio", lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="fake-server")
        self._ready = threading.Event()

    def start(self) -> str:
        """Start to serve; return the URL of the page."""
        self._thread.start()
        assert self._ready.wait(DEADLINE_S)
        return f"http://127.0.0.1:{self._port}/"

    def close(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def event(self, subject: str, body: dict) -> None:
        """Send a numbered event to every page, after its initial answers; it is kept for reconnects."""
        self._wait_for_initial_answers()
        self._in_loop(self.publish(subject, body))

    def go_offline(self) -> None:
        """Close every connection, and reject new ones until ``go_online``."""
        self._wait_for_initial_answers()
        self._is_offline = True
        self._in_loop(self._drop())

    def go_online(self, **change) -> None:
        """Accept connections again, with changed attributes (``version``, ``complete``)."""
        for name, value in change.items():
            setattr(self, name, value)
        self._is_offline = False

    def wait_for(self, subject: str, count: int = 1) -> list[dict]:
        """Wait for ``count`` messages of this subject; return their bodies."""

        def received_bodies():
            return [message.get("body") for message in self.received if message["subject"] == subject]

        with self._message_received:
            received = self._message_received.wait_for(lambda: len(received_bodies()) >= count, DEADLINE_S)
        assert received, f"no page sent {subject}"
        return received_bodies()

    async def publish(self, subject: str, body: dict) -> None:
        """Send an event; call it in the server's event loop."""
        message = {"subject": subject, "body": body, "source": "controller", "destination": "broadcast"}
        self._events.append({**message, "seq": len(self._events) + 1})
        for socket in list(self._sockets):
            await socket.send_text(json.dumps(self._events[-1]))

    # The initial answers do not contain the event, so they must not arrive after it.
    def _wait_for_initial_answers(self):
        with self._message_received:
            initialized = self._message_received.wait_for(lambda: not self._initializing, DEADLINE_S)
        assert initialized, f"a page never sent {LAST_INITIAL_SUBJECT}"

    def _in_loop(self, work):
        asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)

    async def _serve(self):
        self._loop = asyncio.get_running_loop()
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110  uvicorn has a flag, not an event
            await asyncio.sleep(0.01)
        self._port = self._server.servers[0].sockets[0].getsockname()[1]
        self._ready.set()
        await serving

    async def _drop(self):
        for socket in list(self._sockets):
            await socket.close(1012)

    def _with_policy(self, app):
        async def guarded(scope, receive, send):
            async def sending(message):
                if message["type"] == "http.response.start":
                    message["headers"] += [
                        (b"content-security-policy", POLICY.encode()),
                        (b"cache-control", b"no-cache"),
                    ]
                await send(message)

            await app(scope, receive, sending)

        return guarded

    async def _page(self, _request):
        return FileResponse(WEB / "index.html")

    async def _session(self, request):
        if self._is_offline:
            return PlainTextResponse("offline", status_code=503)
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({}, status_code=401)
        return JSONResponse({"token_required": self.token is not None})

    def _accepts(self, socket):
        offered = [word.strip() for word in socket.headers.get("sec-websocket-protocol", "").split(",")]
        encoded = base64.urlsafe_b64encode((self.token or "").encode()).rstrip(b"=").decode()
        return not self._is_offline and (self.token is None or f"bearer.{encoded}" in offered)

    async def _connection(self, socket):
        if not self._accepts(socket):
            await socket.close()
            return
        self._initializing.add(socket)
        try:
            await self._accept(socket)
            self._sockets.add(socket)
            while True:
                await self._handle(socket, json.loads(await socket.receive_text()))
        except (WebSocketDisconnect, RuntimeError):
            pass  # the page or ``go_offline`` closed the connection
        finally:
            self._sockets.discard(socket)
            self._mark_initialized(socket)

    async def _accept(self, socket):
        await socket.accept("dunebugger")
        since = socket.query_params.get("since")
        self.sinces.append(since)
        connected = {"seq": len(self._events), "complete": self.complete, "version": self.version}
        await self._answer(socket, "connected", connected)
        for missed in self._events[int(since) :] if since is not None else []:
            await socket.send_text(json.dumps(missed))

    def _mark_initialized(self, socket):
        with self._message_received:
            self._initializing.discard(socket)
            self._message_received.notify_all()

    async def _handle(self, socket, message):
        subject, body = message["subject"], message.get("body")
        if self.is_silent:
            return
        if subject == "controller.heartbeat":
            await self._answer(socket, "heartbeat", "I am alive")
            return
        answers = {
            "controller.system_info": ("system_info", {"system_info": bodies.system_info()}),
            "updater.history": ("history", {"component": None, "requests": self.history}),
            "updater.outstanding": ("outstanding", {"requests": self.outstanding}),
        }
        if subject == "updater.outstanding" and self.early_progress:
            await self.publish("update_progress", self.early_progress)
        if subject in answers:
            await self._answer(socket, *answers[subject])
        elif subject == "updater.check_updates" and body == "null":
            await self.publish("update_check_result", {"components": self.components})
        elif self.on_action:
            await self.on_action(subject, body)
        with self._message_received:
            self.received.append(message)
            self._message_received.notify_all()
        if subject == LAST_INITIAL_SUBJECT:
            self._mark_initialized(socket)

    async def _answer(self, socket, subject, body):
        message = {"subject": subject, "body": body, "source": "controller", "destination": "web"}
        await socket.send_text(json.dumps(message))
