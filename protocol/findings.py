"""What the ``check`` of either side finds: a sentence, how it is to be taken, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
