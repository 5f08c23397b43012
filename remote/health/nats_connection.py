"""One connection to a NATS server, from its beginning to its loss."""

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
from remote.health import heartbeat_messages as words

CONNECT_S = 20
ROUND_TRIP_S = 10
CLOSE_S = 5
_REASON_CHARACTERS = 200
_PENDING_BYTES = 4 * 1024 * 1024
_PENDING_MESSAGES = 65536


class LineLostError(RemoteError):
    """The connection cannot be had, or is gone: the server's fault, or that of what lies between."""


class Line:
    """What is said and heard below one subject.

    nats-py's own reconnecting is off: it gives up for good at many of a server's errors, and at some without a word.
    Whoever uses this makes a new line instead, and learns that the old one is lost by ``LineLostError``.

    Args:
        url: the server's.
        token: what it asks for; None when it asks for none.
        root: the subject below which everything is heard.
        hear: is given the content of each message.
    """

    def __init__(self, url: str, token: str | None, root: str, hear: Callable[[bytes], None]) -> None:
        self._url = url
        self._token = token
        self._root = root
        self._hear = hear
        self._echo_subject, self._echo_content = words.echo(root)
        self._echo = asyncio.Event()
        self._lost = asyncio.Event()
        self._closed = asyncio.Event()
        self._reason = ""
        self._client = Client()
        # It writes there, with a traceback, what others send and it cannot read; that ends the line, which we tell.
        logging.getLogger("nats.aio.client").setLevel(logging.CRITICAL)

    async def open(self) -> None:
        """Connect, and listen.

        Raises:
            LineLostError: there is no server, it does not let us in, or it lets us not listen.
        """
        await self._before_loss(self._connect(), CONNECT_S, "it does not answer")
        await self.round_trip()

    async def close(self) -> None:
        """Hang up, whatever state the line is in."""
        closing = asyncio.ensure_future(self._close())
        try:
            await asyncio.wait([closing], timeout=CLOSE_S)
        finally:
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)

    async def say(self, subject: str, content: bytes) -> None:
        """Publish one message.

        Raises:
            LineLostError: the line is lost, or the server takes nothing.
        """
        await self._before_loss(self._client.publish(subject, content), ROUND_TRIP_S, "it takes no messages")

    async def round_trip(self) -> None:
        """Let a message of our own come back: then all that was said to us before has been heard.

        nats-py's ``flush`` does not prove that: it succeeds at once where the reading has ended, and that ends
        without a word at a subject that is not UTF-8, which anybody may publish.

        Raises:
            LineLostError: it does not come back.
        """
        self._echo.clear()
        await self.say(self._echo_subject, self._echo_content)
        await self._before_loss(self._echo.wait(), ROUND_TRIP_S, "messages do not come back")

    async def pause(self, seconds: float) -> None:
        """Let ``seconds`` pass.

        Raises:
            LineLostError: the line was lost meanwhile.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._lost.wait()
        self._require_line()

    async def _connect(self) -> None:
        await self._client.connect(
            self._url,
            token=self._token,
            name="dunebugger-remote",
            connect_timeout=ROUND_TRIP_S,
            allow_reconnect=False,
            max_reconnect_attempts=1,  # and not zero, which means: for ever
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
        await self._client.close()  # returns at once where another part of nats-py has begun to close it
        await self._closed.wait()

    async def _before_loss(self, work: Coroutine[Any, Any, object], limit_s: float, otherwise: str) -> None:
        """Do ``work`` to its end, unless the line is lost or the time is over before.

        In a task of its own: nats-py swallows some cancellations, and a deadline with them.
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
            self._lose(otherwise)
        elif isinstance(outcome, BaseException):
            self._lose(outcome)
        self._require_line()

    async def _on_message(self, message: Msg) -> None:
        if message.subject == self._echo_subject:
            self._echo.set()
        else:
            self._hear(message.data)

    async def _on_error(self, error: Exception) -> None:
        """Note what goes wrong; a right that we lack, too, ends the line, for we would wait for answers in vain."""
        if isinstance(error, SlowConsumerError):  # a message that is too large to keep: it counts for nobody
            return
        self._reason = self._reason or _words(error)
        if self._client.is_connected:
            self._lose(error)

    async def _on_closed(self) -> None:
        self._closed.set()
        self._lose("it ended the connection")

    def _lose(self, reason: BaseException | str) -> None:
        """End the line; what went wrong first is the reason."""
        self._reason = self._reason or (reason if isinstance(reason, str) else _words(reason))
        self._lost.set()

    def _require_line(self) -> None:
        if self._lost.is_set():
            raise LineLostError(self._reason)


def _words(error: BaseException) -> str:
    """What an error says, some of it in the server's words."""
    return printable(str(error) or type(error).__name__, _REASON_CHARACTERS)
