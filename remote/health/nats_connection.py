"""NATS connection: opened once, subscribed to one subject tree, and used until it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import SlowConsumerError

from protocol.names import printable
from remote.errors import RemoteError
from remote.health.heartbeat_messages import echo_message

CONNECT_S = 20
ROUND_TRIP_S = 10
CLOSE_S = 5
_REASON_CHARACTERS = 200
_PENDING_BYTES = 4 * 1024 * 1024
_PENDING_MESSAGES = 65536


class ConnectionLostError(RemoteError):
    """The connection could not be opened, or is lost: the server's or the network's fault."""


class NatsConnection:
    """NATS connection subscribed to one subject tree.

    nats-py's own reconnecting is off: after some server errors it stops permanently, and not always with an error.
    The caller opens a new connection instead, after ``ConnectionLostError``.

    Args:
        url: of the server.
        token: for the server; None if it requires none.
        root: the first token of the subjects that are subscribed to.
        on_message: called with the content of each message.
    """

    def __init__(self, url: str, token: str | None, root: str, on_message: Callable[[bytes], None]) -> None:
        self._url = url
        self._token = token
        self._root = root
        self._deliver = on_message
        self._echo_subject, self._echo_content = echo_message(root)
        self._echo = asyncio.Event()
        self._lost = asyncio.Event()
        self._closed = asyncio.Event()
        self._reason = ""
        self._client = Client()
        # nats-py logs protocol errors there with a traceback; they end the connection, which is reported here.
        logging.getLogger("nats.aio.client").setLevel(logging.CRITICAL)

    async def open(self) -> None:
        """Connect and subscribe.

        Raises:
            ConnectionLostError: there is no server, or it rejects the connection or the subscription.
        """
        await self._before_loss(self._connect(), CONNECT_S, "it does not respond")
        await self.round_trip()

    async def close(self) -> None:
        """Close the connection in any state, within ``CLOSE_S``; also if this call is cancelled meanwhile."""
        closing = asyncio.ensure_future(self._close())
        limited = asyncio.ensure_future(asyncio.wait([closing], timeout=CLOSE_S))
        try:
            await asyncio.shield(limited)
        except asyncio.CancelledError:
            await limited  # nats-py leaves the socket open if its close is cancelled
            raise
        finally:
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)

    async def publish(self, subject: str, content: bytes) -> None:
        """Publish one message.

        Raises:
            ConnectionLostError: the connection is lost, or the server accepts nothing.
        """
        await self._before_loss(self._client.publish(subject, content), ROUND_TRIP_S, "it accepts no messages")

    async def round_trip(self) -> None:
        """Wait until a message to this program itself arrives: all messages sent to us before have been delivered.

        nats-py's ``flush`` does not prove that: it succeeds although the reader has ended, and the reader ends silently
        at a subject that is not UTF-8, which any client may publish.

        Raises:
            ConnectionLostError: the message does not arrive within ``ROUND_TRIP_S``.
        """
        self._echo.clear()
        await self.publish(self._echo_subject, self._echo_content)
        await self._before_loss(self._echo.wait(), ROUND_TRIP_S, "messages do not arrive")

    async def pause(self, seconds: float) -> None:
        """Wait for ``seconds``.

        Raises:
            ConnectionLostError: the connection was lost in that time.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._lost.wait()
        self._require_connection()

    async def _connect(self) -> None:
        await self._client.connect(
            self._url,
            token=self._token,
            name="dunebugger-remote",
            connect_timeout=ROUND_TRIP_S,
            allow_reconnect=False,
            max_reconnect_attempts=1,  # zero would mean: without limit
            reconnect_time_wait=0,
            error_cb=self._on_error,
            closed_cb=self._on_closed,
        )
        await self._client.subscribe(
            f"{self._root}.>",
            cb=self._on_message,
            pending_msgs_limit=_PENDING_MESSAGES,
            pending_bytes_limit=_PENDING_BYTES,
        )

    async def _close(self) -> None:
        await self._client.close()  # returns at once if nats-py is already closing it
        await self._closed.wait()

    async def _before_loss(self, work: Coroutine[Any, Any, object], limit_s: float, timeout_reason: str) -> None:
        """Await ``work`` until the connection is lost or ``limit_s`` has passed.

        Runs in a task of its own: nats-py swallows some cancellations, and a deadline with them.
        """
        task = asyncio.ensure_future(work)
        loss = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait([task, loss], timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            is_done = task.done()
        finally:
            task.cancel()
            loss.cancel()
            outcome, _ = await asyncio.gather(task, loss, return_exceptions=True)
        if not is_done:
            self._lose(timeout_reason)
        elif isinstance(outcome, BaseException):
            self._lose(outcome)
        self._require_connection()

    async def _on_message(self, message: Msg) -> None:
        if message.subject == self._echo_subject:
            self._echo.set()
        else:
            self._deliver(message.data)

    async def _on_error(self, error: Exception) -> None:
        """Record the reason; a missing permission ends the connection too, as no answer would arrive."""
        if isinstance(error, SlowConsumerError):  # a message over the memory limit was dropped
            return
        self._reason = self._reason or _describe(error)
        if self._client.is_connected:
            self._lose(error)

    async def _on_closed(self) -> None:
        self._closed.set()
        self._lose("it closed the connection")

    def _lose(self, reason: BaseException | str) -> None:
        """Mark the connection as lost; the first reason counts."""
        self._reason = self._reason or (reason if isinstance(reason, str) else _describe(reason))
        self._lost.set()

    def _require_connection(self) -> None:
        if self._lost.is_set():
            raise ConnectionLostError(self._reason)


def _describe(error: BaseException) -> str:
    """Return the message of an error, escaped: some of it comes from the server."""
    return printable(str(error) or type(error).__name__, _REASON_CHARACTERS)
