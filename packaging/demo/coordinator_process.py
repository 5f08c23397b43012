"""A coordinator as a child process that can be killed and restarted."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from protocol.clock import Clock

_READY = re.compile(rb"\bready\b")
_READY_DEADLINE_S = 30.0
_STOP_DEADLINE_S = 20.0
_TAIL_LINES = 20


class CoordinatorProcess:
    """``update-coordinator run`` on one configuration, with one log file for all of its runs."""

    def __init__(self, configuration: Path, log: Path, clock: Clock) -> None:
        """Prepare the process; ``start`` starts it.

        Args:
            configuration: given to the command as ``--config``.
            log: file that the output of the process is appended to.
            clock: measures the deadlines.
        """
        self._configuration = configuration
        self._log = log
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Start the process and wait until it reports that it is ready.

        Returns:
            The process id.

        Raises:
            RuntimeError: the process exited, or was not ready after 30 s; the message has the end of its log.
        """
        with self._log.open("ab") as log:
            log_start = log.tell()
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", "coordinator", "run", "--config", str(self._configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches only the demo, which stops the coordinator
            )
        deadline = self._clock.monotonic() + _READY_DEADLINE_S
        while not _READY.search(self._log.read_bytes()[log_start:]):
            if process.poll() is not None:
                raise RuntimeError(self._failure(f"it exited with code {process.returncode}"))
            if self._clock.monotonic() > deadline:
                raise RuntimeError(self._failure(f"it was not ready after {_READY_DEADLINE_S:.0f} s"))
            self._clock.sleep(0.02)
        return process.pid

    def kill(self) -> None:
        """Kill the process with SIGKILL, to simulate a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> bool:
        """Stop the process with SIGTERM, and kill it after 20 s; does nothing when it does not run.

        Returns:
            Whether it exited with code 0 before the SIGKILL.
        """
        if self._process is None:
            return True
        self._process.terminate()
        try:
            return self._process.wait(_STOP_DEADLINE_S) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            self.kill()

    def _failure(self, what: str) -> str:
        tail = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join([f"cannot start the coordinator: {what}; the end of {self._log}:", *tail])
