"""What was tried, and what came of it: the table that docs/crash-safety.md keeps."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from property_tests.crash.calls import GROUPS
from property_tests.crash.experiment import Result


@dataclass
class Row:
    """One line of the table."""

    hits: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    wrong: int = 0
    slowest_s: float = 0.0


class Tally:
    """Counts by story and by the call at which the last blow fell."""

    def __init__(self) -> None:
        self.wrong = 0
        self.hits = 0
        self.polls = 0
        self._rows: dict[str, Row] = {}

    def record(self, what: str, result: Result) -> None:
        """Take in an experiment that only prepares others."""
        self.polls += result.polls
        if result.faults:
            self._complain(what, result.faults)

    def add(self, name: str, result: Result, faults: list[str], what: str) -> None:
        """Take in one experiment."""
        row = self._rows.setdefault(name, Row())
        self.polls += result.polls
        hit = result.hits[-1] if result.hits and None not in result.hits else None
        if hit is None and not faults:
            row.missed += 1
        elif hit is not None:
            row.hits[hit.group if hit.changes else "nothing changed"] += 1
            self.hits += hit.changes
        row.slowest_s = max(row.slowest_s, result.settled_s)
        if faults:
            row.wrong += 1
            self._complain(f"{what}, at {hit}", faults)

    def _complain(self, what: str, faults: list[str]) -> None:
        self.wrong += 1
        print(f"WRONG: {what}", *faults, sep="\n    ", flush=True)

    def table(self) -> str:
        """All of it, in Markdown."""
        groups = [
            group for group in (*GROUPS, "nothing changed") if any(row.hits[group] for row in self._rows.values())
        ]
        head = ["story", *groups, "all", "not reached", "wrong", "slowest, s"]
        lines = [_line(head), _line(["---"] + ["---:"] * (len(head) - 1))]
        total = Row()
        for name, row in sorted(self._rows.items(), key=lambda item: (item[0].startswith("recovery"), item[0])):
            lines.append(_cells(name, row, groups))
            total.hits += row.hits
            total.missed += row.missed
            total.wrong += row.wrong
            total.slowest_s = max(total.slowest_s, row.slowest_s)
        lines.append(_cells("all", total, groups))
        lines.append(f"\n{self.hits} kills; the reader looked {self.polls} times; wrong: {self.wrong}")
        return "\n".join(lines)


def _cells(name: str, row: Row, groups: list[str]) -> str:
    counts = [row.hits[group] for group in groups]
    return _line([name, *counts, sum(counts), row.missed, row.wrong, f"{row.slowest_s:.2f}"])


def _line(cells: list[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
