"""``dunebugger-remote check``: everything that serve needs, tried one after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial

import click

from protocol.clock import SystemClock
from protocol.findings import Finding, Grade
from remote import logs
from remote.commands import examine
from remote.settings import Settings

_EXAMINATIONS: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
    ("server", examine.server),
    ("folders", examine.folders),
    ("coordinator", partial(examine.coordinator, clock=SystemClock())),
    ("installed versions", examine.installed),
    ("releases", partial(examine.releases, clock=SystemClock())),
    ("NATS", examine.heartbeats),
)
_MARKS = {Grade.GOOD: "✓", Grade.NOTE: "·", Grade.BAD: "✗"}


def execute(settings: Settings, *, as_json: bool) -> int:
    """Print every finding as it is found; 1 when something is to be mended."""
    logs.set_up("CRITICAL")  # what goes wrong is among the findings
    rows = []
    for area, examination in _EXAMINATIONS:
        if not as_json:
            click.echo(area)
        for finding in examination(settings):
            rows.append({"area": area, "grade": finding.grade, "finding": finding.text, "remedy": finding.remedy})
            if not as_json:
                click.echo(f"  {_MARKS[finding.grade]} {finding.text}")
                if finding.remedy:
                    click.echo(f"    → {finding.remedy}")
    bad = sum(row["grade"] is Grade.BAD for row in rows)
    click.echo(json.dumps(rows, indent=2) if as_json else f"{bad} problem(s) found" if bad else "no problems found")
    return 1 if bad else 0
