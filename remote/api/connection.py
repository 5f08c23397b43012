"""WebSocket connection of one client: reads its messages, sends its queue. It never delays other clients."""

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
from remote.api import codec
from remote.api.auth import SUBPROTOCOL
from remote.api.codec import IncomingMessage, MessageInvalidError
from remote.events.bodies import ErrorReport
from remote.events.envelope import SOURCE, AnswerBody, OutgoingMessage
from remote.settings import Server

_MAX_CONCURRENT = 8
_SUBJECT_CHARACTERS = 100
_QUEUE_CHARACTERS = 4 * 1024 * 1024  # more than the event bus replays to a returning client
_BURST_S = 3.0
_CLOSE_S = 1.0
_POLICY_VIOLATION, _TRY_AGAIN_LATER = 1008, 1013  # RFC 6455, section 7.4.1, and IANA's registry

Dispatch = Callable[["Connection", IncomingMessage], Awaitable[None]]


class TokenBucket:
    """Allows ``per_s`` messages a second, > 0, and bursts of three seconds' worth, at least one message."""

    def __init__(self, per_s: float, clock: Clock) -> None:
        self._per_s = per_s
        self._clock = clock
        self._tokens = self._capacity = max(1.0, per_s * _BURST_S)
        self._refilled_at = clock.monotonic()

    def try_acquire(self) -> bool:
        """Take a token for one message; False when there is none."""
        now = self._clock.monotonic()
        self._tokens = min(self._capacity, self._tokens + (now - self._refilled_at) * self._per_s)
        self._refilled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Connection:
    """One client's WebSocket, from acceptance to close.

    Args:
        websocket: not accepted yet.
        settings: how many messages per second the client may send.
        clock: measures that rate.
        dispatch: called with each message, for several at the same time.
    """

    def __init__(self, websocket: WebSocket, settings: Server, clock: Clock, dispatch: Dispatch) -> None:
        self._websocket = websocket
        self._rate_limit = TokenBucket(settings.messages_per_s, clock)
        self._dispatch = dispatch
        self._queue: deque[OutgoingMessage] = deque()
        self._queue_size = 0
        self._has_messages = asyncio.Event()
        self._is_too_slow = self._is_too_fast = False
        self._writer: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._periodic: asyncio.Task[None] | None = None

    # -- called by handlers and the event bus ------------------------------------------------------------------

    def enqueue(self, message: OutgoingMessage) -> None:
        """Queue a message without waiting; a client that does not read fast enough is disconnected (I12)."""
        if self._is_too_slow:
            return
        self._queue.append(message)
        self._queue_size += message.size
        self._has_messages.set()
        if self._queue_size > _QUEUE_CHARACTERS:
            self._is_too_slow = True
            self._queue.clear()
            if self._writer is not None:
                self._writer.cancel()

    def answer(self, message: IncomingMessage, body: AnswerBody) -> None:
        """Answer one of the client's messages."""
        self.enqueue(OutgoingMessage(body, message.source))

    def start_periodic(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` until the connection ends; it replaces the previous one."""
        if self._periodic is not None:
            self._periodic.cancel()
        self._periodic = asyncio.create_task(work)

    # -- life cycle --------------------------------------------------------------------------------------------

    async def serve(self, subprotocols: Sequence[str]) -> None:
        """Accept the client, read and write until either side ends the connection."""
        await self._websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in subprotocols else None)
        reader = asyncio.create_task(self._read())
        self._writer = asyncio.create_task(self._write())
        if self._is_too_slow:  # the replay of missed events exceeded the queue
            self._writer.cancel()
        try:
            await asyncio.wait((reader, self._writer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(reader, self._writer, *self._tasks, *filter(None, [self._periodic]))
        if self._is_too_slow:
            await self._close(_TRY_AGAIN_LATER, "a client that reads its messages too slowly")
        elif self._is_too_fast:
            await self._close(_POLICY_VIOLATION, "a client that sends too many messages")

    async def _read(self) -> None:
        while True:
            received = await self._websocket.receive()
            if received["type"] == "websocket.disconnect":
                return
            if not self._rate_limit.try_acquire():
                self._is_too_fast = True
                return
            self._accept(received.get("text"))

    def _accept(self, text: str | None) -> None:
        try:
            message = codec.decode(text)
        except MessageInvalidError as error:
            self.enqueue(OutgoingMessage(ErrorReport(message=str(error), subject=None), "client"))
            return
        if message.source == SOURCE:
            return  # an echo of this server's own message
        if len(self._tasks) >= _MAX_CONCURRENT:
            text = f"cannot execute more than {_MAX_CONCURRENT} commands at once: wait for answers"
            self._answer_error(message, text)
            return
        task = asyncio.create_task(self._handle(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, message: IncomingMessage) -> None:
        try:
            await self._dispatch(self, message)
        except MessageInvalidError as error:
            self._answer_error(message, str(error))
        except Exception:  # noqa: BLE001  a fault of this server concerns this message only (I16)
            logger.exception("cannot answer {}", printable(message.subject))
            self._answer_error(message, "cannot execute this command: an internal error occurred; see the log")

    def _answer_error(self, message: IncomingMessage, text: str) -> None:
        self.answer(message, ErrorReport(message=text, subject=message.subject[:_SUBJECT_CHARACTERS]))

    async def _write(self) -> None:
        while True:
            await self._has_messages.wait()
            self._has_messages.clear()
            while self._queue:
                message = self._queue.popleft()
                self._queue_size -= message.size
                try:
                    text = codec.encode(message)
                except Exception:  # noqa: BLE001  one message that cannot be encoded must not end the connection (I16)
                    logger.exception("cannot send {}: it is skipped", message.body.SUBJECT)
                    continue
                await self._websocket.send_text(text)

    async def _close(self, code: int, why: str) -> None:
        """Send the reason; ``remote.commands.serve`` disconnects a client that does not read it."""
        logger.warning("disconnecting {}", why)
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(_CLOSE_S):
                await self._websocket.close(code, why)


async def _end(*tasks: asyncio.Task[None]) -> None:
    """Cancel the tasks that still run, and log their failures, except a disconnected client."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect):
            logger.opt(exception=outcome).error("cannot continue with a client")
