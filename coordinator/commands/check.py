"""``update-coordinator check``: the design document's troubleshooting list as one command.

Each examination answers one of the document's questions; adding one is adding a function to ``_EXAMINATIONS``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.text import Text

from coordinator.commands import examine
from coordinator.commands.examine_container import container
from coordinator.settings import Settings
from protocol.findings import Finding, Grade

_EXAMINATIONS: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
    ("configuration", examine.configuration),
    ("service", examine.service),
    ("shared folders", examine.folders),
    ("container", container),
    ("scripts", examine.scripts),
    ("journal", examine.journal),
    ("log", examine.log),
)
_MARKS = {Grade.GOOD: ("✓", "green"), Grade.NOTE: ("·", "dim"), Grade.BAD: ("✗", "red")}


def execute(settings: Settings, *, scripts: bool, as_json: bool) -> int:
    """Print every finding with its remedy; 1 when one is bad."""
    examinations = _EXAMINATIONS + ((("health checks", examine.health),) if scripts else ())
    findings = [(area, finding) for area, examination in examinations for finding in examination(settings)]
    bad = sum(finding.grade is Grade.BAD for _, finding in findings)
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        rows = [
            {"area": area, "grade": finding.grade, "finding": finding.text, "remedy": finding.remedy}
            for area, finding in findings
        ]
        console.out(json.dumps(rows, indent=2))
        return 1 if bad else 0
    shown = ""
    for area, finding in findings:
        if area != shown:
            console.print(Text(area, style="bold"))
            shown = area
        mark, colour = _MARKS[finding.grade]
        console.print(Text.assemble((f"  {mark} ", colour), finding.text))
        if finding.remedy:
            console.print(Text(f"    → {finding.remedy}"))
    console.print(Text(f"{bad} problem(s) found" if bad else "no problems found", style="red" if bad else "green"))
    return 1 if bad else 0
