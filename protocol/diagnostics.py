"""Diagnostics: what one ``check`` reports, and the runner that both command lines share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

Check = tuple[str, Callable[[], Iterable["CheckResult"]]]  # area, and what to run


class Severity(StrEnum):
    """How severe a result is."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True)
class CheckResult:
    """One observation, and the remedy when it is bad."""

    severity: Severity
    text: str
    remedy: str = ""


def good(text: str) -> CheckResult:
    """Nothing to do."""
    return CheckResult(Severity.GOOD, text)


def note(text: str, remedy: str = "") -> CheckResult:
    """Worth knowing."""
    return CheckResult(Severity.NOTE, text, remedy)


def bad(text: str, remedy: str) -> CheckResult:
    """Needs to be fixed."""
    return CheckResult(Severity.BAD, text, remedy)


MARKS = {Severity.GOOD: ("✓", "green"), Severity.NOTE: ("·", "white"), Severity.BAD: ("✗", "red")}


def run_checks(
    checks: Sequence[Check],
    write: Callable[[str], None],
    style: Callable[[str, str], str] = lambda text, _colour: text,
    *,
    as_json: bool,
) -> int:
    """Run every check and report its results; a check that raises is reported as bad, and the next one runs (I16).

    Args:
        checks: run in this order.
        write: prints one line.
        style: the text in a colour, where the terminal has one.
        as_json: print one JSON array at the end instead of lines as results come in.

    Returns:
        The exit code: 1 when a result is bad, else 0.
    """
    rows: list[dict[str, str]] = []
    for area, check in checks:
        if not as_json:
            write(area)
        for result in _guarded(area, check):
            rows.append({"area": area, "grade": result.severity, "finding": result.text, "remedy": result.remedy})
            if not as_json:
                mark, colour = MARKS[result.severity]
                write(f"  {style(mark, colour)} {result.text}")
                if result.remedy:
                    write(f"    → {result.remedy}")
    count = sum(row["grade"] == Severity.BAD for row in rows)
    if as_json:
        write(json.dumps(rows, indent=2))
    else:
        write(style(f"{count} problem(s) found" if count else "no problems found", "red" if count else "green"))
    return 1 if count else 0


def _guarded(area: str, check: Callable[[], Iterable[CheckResult]]) -> Iterable[CheckResult]:
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001  one check that fails must not hide the results of the others
        yield bad(f"cannot check {area}: {type(error).__name__}: {error}", "fix that and check again")
