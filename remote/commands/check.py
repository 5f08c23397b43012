"""``dunebugger-remote check``: everything that serve needs, one check after the other."""

from __future__ import annotations

from functools import partial

import click

from protocol.clock import SystemClock
from protocol.diagnostics import run_checks
from remote import logs
from remote import serve_checks as examine
from remote.settings import Settings


def execute(settings: Settings, *, as_json: bool) -> int:
    """Print every result as it is found; 1 when something needs to be fixed."""
    logs.set_up("CRITICAL")  # what goes wrong is among the results
    checks = (
        ("server", partial(examine.server, settings)),
        ("folders", partial(examine.folders, settings)),
        ("coordinator", partial(examine.coordinator, settings, clock=SystemClock())),
        ("installed versions", partial(examine.installed, settings)),
        ("releases", partial(examine.releases, settings, clock=SystemClock())),
        ("NATS", partial(examine.heartbeats, settings)),
    )
    return run_checks(checks, click.echo, lambda text, colour: click.style(text, fg=colour), as_json=as_json)
