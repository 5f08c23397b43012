"""Rows of the table of measurements, and their limits."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from rich.console import Console
from rich.table import Table

TIMES = "\N{MULTIPLICATION SIGN}"
WIDTH = 180  # columns without a terminal


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ``limit`` is the maximum of ``ratio``, or of ``measured`` without a ``floor``; with ``at_least`` it is the minimum
    of ``measured``. A row without a limit is informational. ``executor`` is empty for the container side.
    ``measured`` is None when the row could not be measured; ``note`` gives the cause. Such a row counts as missed,
    unless ``is_required`` is False.
    """

    what: str
    measured: float | None
    unit: str
    floor: float | None = None
    limit: float | None = None
    at_least: bool = False
    note: str = ""
    executor: str = ""
    is_required: bool = True

    @property
    def ratio(self) -> float | None:
        """The measured value as a multiple of the floor."""
        return self.measured / self.floor if self.measured is not None and self.floor else None

    @property
    def ok(self) -> bool:
        """Whether the limit is kept."""
        if self.measured is None:
            return not self.is_required
        if self.limit is None:
            return True
        value = self.measured if self.ratio is None or self.at_least else self.ratio
        return value >= self.limit if self.at_least else value <= self.limit

    def facts(self) -> dict[str, Any]:
        """The row as JSON data."""
        return asdict(self) | {"ratio": self.ratio, "ok": self.ok}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Row:
        """The row from its JSON data."""
        return cls(**{field.name: facts[field.name] for field in fields(cls)})


def show(rows: list[Row], title: str) -> None:
    """Print the table."""
    console = Console()
    table = Table(title=title, title_justify="left")
    table.add_column("what")
    table.add_column("executor", no_wrap=True)
    for name in ("measured", "floor", "ratio", "limit"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ok")
    table.add_column("note")
    for row in rows:
        table.add_row(
            row.what,
            row.executor or "-",
            "not measured" if row.measured is None else _amount(row.measured, row.unit),
            "" if row.floor is None else _amount(row.floor, row.unit),
            "" if row.ratio is None else f"{row.ratio:.2f} {TIMES}",
            _limit(row),
            ""
            if (row.limit is None and row.measured is not None) or (row.ok and row.measured is None)
            else "[green]yes"
            if row.ok
            else "[bold red]NO",
            row.note,
        )
    if not console.is_terminal:
        console.width = WIDTH
    console.print(table)


def _amount(value: float, unit: str) -> str:
    return f"{value:,} {unit}" if isinstance(value, int) else f"{value:,.2f} {unit}"


def _limit(row: Row) -> str:
    if row.limit is None:
        return ""
    unit = TIMES if row.floor is not None and not row.at_least else row.unit
    return f"{'≥' if row.at_least else '≤'} {row.limit:,g} {unit}"
