"""What a long run tells: tables in Markdown, as docs/crash-safety.md keeps them, and how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence

_PERIOD_S = 60.0


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table; numbers stand to the right of what the first column names."""
    ruler = ["---"] + ["---:"] * (len(head) - 1)
    return [f"| {' | '.join(map(str, cells))} |" for cells in (head, ruler, *rows)]


def is_told(text: str | None, faults: Iterable[str]) -> bool:
    """Whether one of the findings holds the text that is waited for; never when none is."""
    return text is not None and any(text in fault for fault in faults)


class Waiting:
    """Says how far a run is, not more often than once a minute, and not among what is to be kept of it.

    Args:
        total: of what there is to do.
        noun: what it is called.
    """

    def __init__(self, total: int, noun: str) -> None:
        self.done = 0
        self._total = total
        self._noun = noun
        self._begin = self._said = time.monotonic()

    def step(self, wrong: int) -> None:
        """One more is done."""
        self.done += 1
        now = time.monotonic()
        if now - self._said >= _PERIOD_S:
            self._said = now
            minutes = (now - self._begin) / 60
            sys.stderr.write(f"{self.done} of {self._total} {self._noun} after {minutes:.0f} min; wrong: {wrong}\n")
