"""``update-coordinator check``: the troubleshooting list of the requirements as one command."""

from __future__ import annotations

from functools import partial

import click

from coordinator.commands import examine
from coordinator.commands.examine_container import container
from coordinator.settings import Settings
from protocol.diagnostics import run_checks


def execute(settings: Settings, *, scripts: bool, as_json: bool) -> int:
    """Print every result with its remedy; 1 when one is bad."""
    checks = [
        ("configuration", examine.configuration),
        ("service", examine.service),
        ("shared folders", examine.folders),
        ("container", container),
        ("scripts", examine.scripts),
        ("journal", examine.journal),
        ("log", examine.log),
    ]
    if scripts:
        checks.append(("health checks", examine.health))
    return run_checks(
        [(area, partial(check, settings)) for area, check in checks],
        click.echo,
        lambda text, colour: click.style(text, fg=colour),
        as_json=as_json,
    )
