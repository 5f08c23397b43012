"""Summary of the trials: the tables in docs/crash-safety.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from property_tests.crash.syscalls import GROUPS
from property_tests.crash.trial import Trial, TrialResult
from property_tests.report import markdown_table

_COLUMNS = (*GROUPS, "start-up", "script", "other call")


@dataclass
class SummaryRow:
    """One line of the table."""

    hits: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    wrong: int = 0
    restarts: int = 0
    slowest_s: float = 0.0


class Summary:
    """Counts by scenario and by the call of the last disruption.

    Args:
        noun: what is counted.
    """

    def __init__(self, noun: str) -> None:
        self.wrong = 0
        self._noun = noun
        self._polls = 0
        self._rows: dict[str, SummaryRow] = {}
        self._errors: dict[str, Counter[str]] = {}
        self._notes: Counter[str] = Counter()

    def record(self, trial: Trial, result: TrialResult) -> None:
        """Add a trial that only prepares others."""
        self._polls += result.polls
        if result.violations:
            self._report_violations(str(trial), result.violations)

    def add(self, trial: Trial, result: TrialResult, violations: Sequence[str]) -> None:
        """Add one trial."""
        row = self._rows.setdefault(trial.row, SummaryRow())
        self._polls += result.polls
        hit = result.hits[-1] if result.hits and None not in result.hits else None
        if hit is None and not violations:
            row.missed += 1
        elif hit is not None:
            row.hits[hit.group] += 1
            if hit.error:
                self._errors.setdefault(hit.group, Counter())[hit.error] += 1
        row.restarts += result.restarts
        row.slowest_s = max(row.slowest_s, result.settled_s)
        is_import = hit is not None and hit.group == "start-up"  # a failing import always prints a traceback
        for note in result.notes:
            self._report_note(f"{trial}, at {hit}", note, is_printed=not is_import)
        if violations:
            row.wrong += 1
            self._report_violations(f"{trial}, at {hit}", violations)

    def _report_violations(self, what: str, violations: Sequence[str]) -> None:
        self.wrong += 1
        print(f"WRONG: {what}", *violations, sep="\n    ", flush=True)

    def _report_note(self, what: str, note: str, *, is_printed: bool) -> None:
        short, _, long = note.partition("\n")
        self._notes[short] += 1
        if long and is_printed:
            print(f"NOTE: {what}: {short}", long, sep="\n    ", flush=True)

    def __str__(self) -> str:
        """All tables, in Markdown."""
        used = [column for column in _COLUMNS if any(row.hits[column] for row in self._rows.values())]
        head = ["scenario", *used, "all", "restarts", "not reached", "wrong", "slowest, s"]
        total = SummaryRow()
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
        count = total.hits.total() - total.hits["other call"]
        lines.append(f"{count} {self._noun}; polls of the reader: {self._polls}; wrong: {self.wrong}")
        return "\n".join(lines)

    def _by_error(self, groups: Sequence[str]) -> list[str]:
        errors = sorted({error for counts in self._errors.values() for error in counts})
        affected = [group for group in groups if group in self._errors]
        return markdown_table(
            ["call", *errors], [[group, *(self._errors[group][error] for error in errors)] for group in affected]
        )


def _cells(name: str, row: SummaryRow, used: Sequence[str]) -> list[object]:
    counts = [row.hits[column] for column in used]
    return [name, *counts, sum(counts), row.restarts, row.missed, row.wrong, f"{row.slowest_s:.2f}"]
