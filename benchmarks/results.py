"""What was measured, and whether that is good enough."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

TIMES = "\N{MULTIPLICATION SIGN}"
WIDTH = 180  # where no terminal says otherwise


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ``limit`` is the most that ``ratio`` may be, or ``measured`` where there is no ``floor``; with ``at_least`` it is
    the least that ``measured`` may be. A row without a limit only informs. ``measured`` is None when it could not be
    measured, which counts as missed; ``note`` says why.
    """

    what: str
    measured: float | None
    unit: str
    floor: float | None = None
    limit: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the floor."""
        return self.measured / self.floor if self.measured is not None and self.floor else None

    @property
    def ok(self) -> bool:
        """Whether the limit is kept."""
        if self.measured is None:
            return False
        if self.limit is None:
            return True
        value = self.measured if self.ratio is None or self.at_least else self.ratio
        return value >= self.limit if self.at_least else value <= self.limit

    def facts(self) -> dict[str, Any]:
        """The row for programs."""
        return asdict(self) | {"ratio": self.ratio, "ok": self.ok}


def show(rows: list[Row], title: str) -> None:
    """Print the table."""
    console = Console()
    table = Table(title=title, title_justify="left")
    table.add_column("what")
    for name in ("measured", "floor", "ratio", "limit"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ok")
    table.add_column("note")
    for row in rows:
        table.add_row(
            row.what,
            "not measured" if row.measured is None else _amount(row.measured, row.unit),
            "" if row.floor is None else _amount(row.floor, row.unit),
            "" if row.ratio is None else f"{row.ratio:.2f} {TIMES}",
            _limit(row),
            "" if row.limit is None and row.measured is not None else "[green]yes" if row.ok else "[bold red]NO",
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
