"""One client: reads what it asks, writes what it is to hear. Whatever it does, the others do not notice."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from loguru import logger
from starlette.websockets import WebSocket, WebSocketDisconnect

from protocol.clock import Clock
from protocol.names import printable
from remote.api import envelope
from remote.api.auth import SUBPROTOCOL
from remote.api.envelope import Incoming, MessageInvalidError
from remote.api.token_bucket import Allowance
from remote.settings import Server

_AT_ONCE = 8
_SUBJECT_CHARACTERS = 100
_BEHIND_CHARACTERS = 4 * 1024 * 1024  # more than the stream keeps: whoever comes back may be sent all of that
_CLOSE_S = 1.0
_POLICY_VIOLATION, _TRY_AGAIN_LATER = 1008, 1013  # RFC 6455, section 7.4.1, and IANA's registry

Dispatch = Callable[["Connection", Incoming], Awaitable[None]]


class Connection:
    """A client's WebSocket, from its acceptance to its end.

    Args:
        websocket: not accepted yet.
        settings: how fast it may speak.
        clock: measures how fast it speaks.
        dispatch: called with each message it sends, several at once if it is quick.
    """

    def __init__(self, websocket: WebSocket, settings: Server, clock: Clock, dispatch: Dispatch) -> None:
        self._websocket = websocket
        self._allowance = Allowance(settings.messages_per_s, clock)
        self._dispatch = dispatch
        self._outgoing: deque[str] = deque()
        self._size = 0
        self._something = asyncio.Event()
        self._is_too_slow = self._is_too_fast = False
        self._writer: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._repeating: asyncio.Task[None] | None = None

    # -- what others do with it --------------------------------------------------------------------------------

    def offer(self, text: str) -> None:
        """Queue a message; a client that does not fetch them is dropped, not waited for."""
        self._outgoing.append(text)
        self._size += len(text)
        self._something.set()
        if self._size > _BEHIND_CHARACTERS:
            self._is_too_slow = True
            self._outgoing.clear()
            if self._writer is not None:
                self._writer.cancel()

    def answer(self, message: Incoming, subject: str, body: Any) -> None:
        """Answer one of its messages."""
        self.offer(envelope.answer(subject, body, message.source))

    def repeat(self, what: Coroutine[Any, Any, None]) -> None:
        """Keep doing something for this client, instead of what was repeated for it so far."""
        if self._repeating is not None:
            self._repeating.cancel()
        self._repeating = asyncio.create_task(what)

    # -- its life ----------------------------------------------------------------------------------------------

    async def serve(self, subprotocols: Sequence[str]) -> None:
        """Let it in, read and write until either side has enough, and say why it ends."""
        await self._websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in subprotocols else None)
        reader = asyncio.create_task(self._read())
        self._writer = asyncio.create_task(self._write())
        try:
            await asyncio.wait((reader, self._writer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(reader, self._writer, *self._tasks, *filter(None, [self._repeating]))
        if self._is_too_slow:
            await self._close(_TRY_AGAIN_LATER, "a client that does not fetch its messages")
        elif self._is_too_fast:
            await self._close(_POLICY_VIOLATION, "a client that sends too many messages")

    async def _read(self) -> None:
        while True:
            received = await self._websocket.receive()
            if received["type"] == "websocket.disconnect":
                return
            if not self._allowance.spend():
                self._is_too_fast = True
                return
            self._take(received.get("text"))

    def _take(self, text: str | None) -> None:
        try:
            message = envelope.read(text)
        except MessageInvalidError as error:
            self.offer(envelope.answer("error", {"message": str(error), "subject": None}, "client"))
            return
        if message.source == envelope.SOURCE:
            return  # an echo of our own
        if len(self._tasks) >= _AT_ONCE:
            self._complain(message, f"cannot do more than {_AT_ONCE} things at once: wait for answers")
            return
        task = asyncio.create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Incoming) -> None:
        try:
            await self._dispatch(self, message)
        except MessageInvalidError as error:
            self._complain(message, str(error))
        except Exception:  # noqa: BLE001  a fault of ours: this client is told, the others do not notice
            logger.exception("cannot answer {}", printable(message.subject))
            self._complain(message, "cannot do this: something went wrong in here; the log tells what")

    def _complain(self, message: Incoming, text: str) -> None:
        self.answer(message, "error", {"message": text, "subject": message.subject[:_SUBJECT_CHARACTERS]})

    async def _write(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            while self._outgoing:
                text = self._outgoing.popleft()
                self._size -= len(text)
                await self._websocket.send_text(text)

    async def _close(self, code: int, why: str) -> None:
        """Say why; a client that does not even hear that is cut off by ``remote.api.uvicorn_protocol``."""
        logger.warning("{} is dropped", why)
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(_CLOSE_S):
                await self._websocket.close(code, why)


async def _end(*tasks: asyncio.Task[None]) -> None:
    """Cancel what still runs, and tell of what went wrong beyond a client that left."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect):
            logger.opt(exception=outcome).error("cannot go on with a client")
