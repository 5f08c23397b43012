"""Asks the tools of the host."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

TOOL_S = 20


@dataclass(frozen=True)
class Told:
    """What a tool of the host printed, and how it ended."""

    code: int
    output: str
    error: str

    @property
    def complaint(self) -> str:
        """The last thing it said; some tools complain where others answer."""
        return ([*self.output.splitlines(), *self.error.splitlines()] or [f"exit code {self.code}"])[-1].strip()


def ask(program: str, *arguments: str) -> Told | None:
    """Run a tool of the host; None when it is not there or does not answer."""
    found = shutil.which(program)
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, *arguments], capture_output=True, text=True, errors="replace", timeout=TOOL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Told(done.returncode, done.stdout, done.stderr)
