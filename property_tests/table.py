"""Tables in Markdown, as docs/crash-safety.md keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table; numbers stand to the right of what the first column names."""
    ruler = ["---"] + ["---:"] * (len(head) - 1)
    return [f"| {' | '.join(map(str, cells))} |" for cells in (head, ruler, *rows)]
