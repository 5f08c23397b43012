"""``update-coordinator check``: the troubleshooting list of the requirements as one command."""

from __future__ import annotations

from functools import partial

import click

from coordinator.checks import host
from coordinator.checks.docker import container
from coordinator.settings import Settings
from protocol.diagnostics import run_checks


def execute(settings: Settings, *, scripts: bool, as_json: bool) -> int:
    """Print every result with its remedy; 1 when one is bad."""
    checks = [
        ("configuration", host.configuration),
        ("service", host.service),
        ("shared folders", host.folders),
        ("container", container),
        ("scripts", host.scripts),
        ("journal", host.journal),
        ("log", host.log),
    ]
    if scripts:
        checks.append(("health checks", host.health))
    return run_checks(
        [(area, partial(check, settings)) for area, check in checks],
        click.echo,
        lambda text, colour: click.style(text, fg=colour),
        as_json=as_json,
    )
