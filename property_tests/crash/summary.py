"""What was tried, and what came of it: the tables that docs/crash-safety.md keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from property_tests.crash.syscalls import GROUPS
from property_tests.crash.trial import Result, Trial
from property_tests.report import markdown_table

_COLUMNS = (*GROUPS, "start-up", "script", "beside")


@dataclass
class Row:
    """One line of the table."""

    hits: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    wrong: int = 0
    restarts: int = 0
    slowest_s: float = 0.0


class Tally:
    """Counts by story and by the call at which the last blow fell.

    Args:
        noun: what is counted.
    """

    def __init__(self, noun: str) -> None:
        self.wrong = 0
        self._noun = noun
        self._polls = 0
        self._rows: dict[str, Row] = {}
        self._errors: dict[str, Counter[str]] = {}
        self._notes: Counter[str] = Counter()

    def record(self, trial: Trial, result: Result) -> None:
        """Take in a trial that only prepares others."""
        self._polls += result.polls
        if result.faults:
            self._complain(str(trial), result.faults)

    def add(self, trial: Trial, result: Result, faults: Sequence[str]) -> None:
        """Take in one trial."""
        row = self._rows.setdefault(trial.row, Row())
        self._polls += result.polls
        hit = result.hits[-1] if result.hits and None not in result.hits else None
        if hit is None and not faults:
            row.missed += 1
        elif hit is not None:
            row.hits[hit.group] += 1
            if hit.error:
                self._errors.setdefault(hit.group, Counter())[hit.error] += 1
        row.restarts += result.restarts
        row.slowest_s = max(row.slowest_s, result.settled_s)
        is_import = hit is not None and hit.group == "start-up"  # one that fails tells so by a traceback
        for note in result.notes:
            self._notice(f"{trial}, at {hit}", note, is_loud=not is_import)
        if faults:
            row.wrong += 1
            self._complain(f"{trial}, at {hit}", faults)

    def _complain(self, what: str, faults: Sequence[str]) -> None:
        self.wrong += 1
        print(f"WRONG: {what}", *faults, sep="\n    ", flush=True)

    def _notice(self, what: str, note: str, *, is_loud: bool) -> None:
        short, _, long = note.partition("\n")
        self._notes[short] += 1
        if long and is_loud:
            print(f"NOTE: {what}: {short}", long, sep="\n    ", flush=True)

    def __str__(self) -> str:
        """All of it, in Markdown."""
        used = [column for column in _COLUMNS if any(row.hits[column] for row in self._rows.values())]
        head = ["story", *used, "all", "restarts", "not reached", "wrong", "slowest, s"]
        total = Row()
        rows = sorted(self._rows.items(), key=lambda item: (item[0].startswith("recovery"), item[0]))
        for _, row in rows:
            total.hits += row.hits
            total.missed += row.missed
            total.wrong += row.wrong
            total.restarts += row.restarts
            total.slowest_s = max(total.slowest_s, row.slowest_s)
        lines = markdown_table(head, [_cells(name, row, used) for name, row in (*rows, ("all", total))])
        if self._errors:
            lines += ["", *self._by_error(used)]
        lines += ["", *(f"{count} times: {note}" for note, count in sorted(self._notes.items()))]
        count = total.hits.total() - total.hits["beside"]
        lines.append(f"{count} {self._noun}; the reader looked {self._polls} times; wrong: {self.wrong}")
        return "\n".join(lines)

    def _by_error(self, groups: Sequence[str]) -> list[str]:
        errors = sorted({error for counts in self._errors.values() for error in counts})
        met = [group for group in groups if group in self._errors]
        return markdown_table(
            ["call", *errors], [[group, *(self._errors[group][error] for error in errors)] for group in met]
        )


def _cells(name: str, row: Row, used: Sequence[str]) -> list[object]:
    counts = [row.hits[column] for column in used]
    return [name, *counts, sum(counts), row.restarts, row.missed, row.wrong, f"{row.slowest_s:.2f}"]
