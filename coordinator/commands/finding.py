"""What ``check`` finds: a sentence, how it is to be taken, and what to do about it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from enum import StrEnum

TOOL_S = 20


class Grade(StrEnum):
    """How a finding is to be taken."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """One thing seen, and what to do about it when it is bad."""

    grade: Grade
    text: str
    remedy: str = ""


def good(text: str) -> Finding:
    """Nothing to do."""
    return Finding(Grade.GOOD, text)


def note(text: str, remedy: str = "") -> Finding:
    """Worth knowing."""
    return Finding(Grade.NOTE, text, remedy)


def bad(text: str, remedy: str) -> Finding:
    """To be mended."""
    return Finding(Grade.BAD, text, remedy)


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
