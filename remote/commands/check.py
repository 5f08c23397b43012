"""``dunebugger-remote check``: check everything that ``serve`` needs."""

from __future__ import annotations

from functools import partial

import click

from protocol.clock import SystemClock
from protocol.diagnostics import run_checks
from remote import logs, serve_checks
from remote.settings import RemoteSettings


def execute(settings: RemoteSettings, *, as_json: bool) -> int:
    """Run all checks and print each result as it is found; 1 if a result is bad."""
    logs.set_up("CRITICAL")  # what would be logged is among the results
    clock = SystemClock()
    checks = (
        ("server", partial(serve_checks.check_server, settings)),
        ("folders", partial(serve_checks.check_folders, settings)),
        ("coordinator", partial(serve_checks.check_coordinator, settings, clock)),
        ("installed versions", partial(serve_checks.check_installed_versions, settings)),
        ("releases", partial(serve_checks.check_releases, settings, clock)),
        ("NATS", partial(serve_checks.check_nats, settings)),
    )
    return run_checks(checks, click.echo, lambda text, colour: click.style(text, fg=colour), as_json=as_json)
