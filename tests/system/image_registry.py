"""Image registry outside of the machines, behind a proxy that injects faults; power cuts do not affect it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from tests.support.free_port import free_port
from tests.support.polling import wait_until

_CONFIG = """\
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: "{folder}"}}
http: {{addr: "127.0.0.1:{port}"}}
"""


class ImageRegistry:
    """docker-registry behind a ``FaultProxy``. Docker needs no TLS for 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        """Start the registry with its images in ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        config = folder / "config.yml"
        config.write_text(_CONFIG.format(folder=folder / "images", port=self._port))
        self._log = (folder / "log").open("ab")
        self._server = subprocess.Popen(
            ["setpriv", "--pdeathsig=KILL", "docker-registry", "serve", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        try:
            wait_until(self._is_listening, lambda: f"a registry\n{(folder / 'log').read_text()}")
            self.proxy = FaultProxy(self._port)
        except BaseException:
            self._end()
            raise

    def name(self, repository: str, version: str) -> str:
        """The name of an image in the registry, such as ``127.0.0.1:34567/dunebugger/remote:1.0.0``."""
        return f"127.0.0.1:{self.proxy.port}/{repository}:{version}"

    def _is_listening(self) -> bool:
        assert self._server.poll() is None, (
            f"docker-registry ended with {self._server.returncode}: see {self._log.name}"
        )
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self._port)).close()
            return True
        return False

    def close(self) -> None:
        """Stop the registry; its images stay in the folder."""
        self.proxy.close()
        self._end()

    def _end(self) -> None:
        self._server.send_signal(signal.SIGKILL)
        self._server.wait()
        self._log.close()


class FaultProxy:
    """TCP proxy on its own port that can refuse, cut and stall connections.

    A new proxy is open. ``shut`` refuses connections, like a stopped server. ``cut_after`` and ``hang_after`` forward
    the given number of response bytes, and then close or stall the connections. Each call closes all connections;
    ``open`` restores normal forwarding.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self.port = free_port()
        self._bytes_left: float = float("inf")
        self._hangs = False
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.open()

    def open(self) -> None:
        """Forward everything."""
        self._await(self._set(float("inf"), hangs=False))

    def shut(self) -> None:
        """Refuse connections."""
        self._await(self._end())

    def cut_after(self, response_bytes: int) -> None:
        """Close all connections after ``response_bytes`` in total."""
        self._await(self._set(response_bytes, hangs=False))

    def hang_after(self, response_bytes: int) -> None:
        """Stall all connections after ``response_bytes`` in total."""
        self._await(self._set(response_bytes, hangs=True))

    def is_exhausted(self) -> bool:
        """Return whether the bytes of ``cut_after`` or ``hang_after`` have been forwarded."""
        return self._bytes_left <= 0

    def close(self) -> None:
        """Stop the proxy."""
        self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _await(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _set(self, response_bytes: float, *, hangs: bool) -> None:
        await self._end()
        self._bytes_left, self._hangs = response_bytes, hangs
        self._listener = await asyncio.start_server(self._forward, "127.0.0.1", self.port)

    async def _end(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _forward(self, client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        writers = [client_writer]
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
            writers.append(server_writer)
            copies = {
                asyncio.create_task(self._copy_requests(client_reader, server_writer)),
                asyncio.create_task(self._copy_responses(server_reader, client_writer)),
            }
            try:
                await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for copy in copies:
                    copy.cancel()
                await asyncio.gather(*copies, return_exceptions=True)
            for writer in writers:
                writer.close()
        except (OSError, asyncio.CancelledError):  # the mode was changed, which ends the connections
            for writer in writers:
                writer.transport.abort()

    async def _copy_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()

    async def _copy_responses(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            allowed = int(min(len(data), self._bytes_left))
            self._bytes_left -= allowed
            writer.write(data[:allowed])
            await writer.drain()
            if allowed < len(data):
                if self._hangs:
                    await asyncio.Event().wait()  # until the mode changes, or the client closes the connection
                return
