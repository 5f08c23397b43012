"""Output of long runs: Markdown tables as docs/crash-safety.md keeps them, and a progress line on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence

_PERIOD_S = 60.0


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a Markdown table; all columns but the first are right-aligned."""
    ruler = ["---"] + ["---:"] * (len(head) - 1)
    return [f"| {' | '.join(map(str, cells))} |" for cells in (head, ruler, *rows)]


def is_reported(text: str | None, violations: Iterable[str]) -> bool:
    """Whether a violation contains ``text``; False without a text."""
    return text is not None and any(text in violation for violation in violations)


class ProgressMeter:
    """Prints the progress of a run to stderr, at most once a minute.

    Args:
        total: number of items.
        noun: what an item is called.
    """

    def __init__(self, total: int, noun: str) -> None:
        self.done = 0
        self._total = total
        self._noun = noun
        self._begin = self._last_print = time.monotonic()

    def step(self, wrong: int) -> None:
        """Count one finished item."""
        self.done += 1
        now = time.monotonic()
        if now - self._last_print >= _PERIOD_S:
            self._last_print = now
            minutes = (now - self._begin) / 60
            sys.stderr.write(f"{self.done} of {self._total} {self._noun} after {minutes:.0f} min; wrong: {wrong}\n")
