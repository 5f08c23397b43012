"""From a subject to the file that answers it: every module of ``subjects`` is one, so a new file is enough."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable

import remote.api.subjects
from protocol.modules import modules_of
from protocol.names import printable
from remote.api.connection import Connection
from remote.api.envelope import Incoming, MessageInvalidError
from remote.context import House

Handler = Callable[[House, Connection, Incoming], Awaitable[None]]


def handlers() -> dict[str, Handler]:
    """Subject → what answers it."""
    package = remote.api.subjects
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in modules_of(package)]
    return {module.SUBJECT: module.handle for module in modules}


class Dispatcher:
    """Hands each message to its subject's file."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._handlers = handlers()

    async def dispatch(self, connection: Connection, message: Incoming) -> None:
        """Answer ``message``.

        Raises:
            MessageInvalidError: nobody knows its subject, or its body is wrong; the client's fault.
        """
        handle = self._handlers.get(message.subject)
        if handle is None:
            known = ", ".join(sorted(self._handlers))
            raise MessageInvalidError(f"cannot understand the subject {printable(message.subject)}; known are: {known}")
        await handle(self._house, connection, message)
