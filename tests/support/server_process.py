"""A server of this project as a child process of a test: its configuration file, its log and its exit."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
DEADLINE_S = 120.0  # far above what any step takes on a busy machine

Sections = dict[str, dict[str, Any]]


def write_toml(path: Path, sections: Sections) -> Path:
    """Write a configuration file; values are strings, numbers, booleans and lists of them."""
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    path.write_text("\n".join(lines) + "\n")
    return path


class ServerProcess:
    """At most one process at a time; all of them log to ``log_path``."""

    def __init__(self, log_path: Path) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path = log_path
        self._latest_start = 0

    def launch(self, command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start the process without waiting for anything."""
        assert self.process is None, "the process is already running"
        self.mark_log()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self.process

    def mark_log(self) -> None:
        """Let the log of the latest start begin here."""
        self._latest_start = self.log_path.stat().st_size if self.log_path.exists() else 0

    def stop(self) -> int:
        """Send SIGTERM, wait, and return the exit code."""
        self.terminate()
        return self.wait()

    def terminate(self) -> None:
        """Send SIGTERM."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Wait until the process has exited, and return its exit code."""
        assert self.process is not None
        code = self.process.wait(DEADLINE_S)
        self.process = None
        return code

    def kill(self) -> None:
        """Send SIGKILL to the process alone: its children continue."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log(self) -> str:
        """The log of all starts."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_since_start(self) -> str:
        """The log since the latest start."""
        return self.log_path.read_bytes()[self._latest_start :].decode(errors="replace")
