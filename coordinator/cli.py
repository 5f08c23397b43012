"""The command line: arguments and exit codes. What a command does is in ``coordinator/commands/``.

Each command imports its module when it is called: ``run`` replaces this process, must restart quickly after a crash,
and needs none of the others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from coordinator.errors import ConfigurationError, UnavailableError, from_os_error
from protocol.types import Action

if TYPE_CHECKING:
    from coordinator.settings import Settings

FAILED = 1
USAGE_ERROR = 2

_DAEMON_MEMORY = {
    "MALLOC_ARENA_MAX": "1",  # an arena per thread would never be returned to the system
    "MALLOC_TRIM_THRESHOLD_": "131072",
}

_config = click.option(
    "--config",
    type=click.Path(path_type=Path, readable=False),  # load_settings reports why it cannot be read
    metavar="FILE",
    help="Configuration; default /etc/dunebugger/update-coordinator.toml.",
)
_json = click.option("--json", is_flag=True, help="Print JSON, for programs.")
_ACTIONS = click.Choice([action.value for action in Action])
_request_id = click.argument("request_id", metavar="ID", help="The request's id.")


@click.group(name="update-coordinator")
def app() -> None:
    """Runs the updates that an unprivileged container requests, and answers every request exactly once."""


@app.command()
@_config
@click.option("--dry-run", is_flag=True, help="Start no script; report what would run.")
def run(config: Path | None, *, dry_run: bool) -> None:
    """Run the coordinator in the foreground, as systemd does."""
    _exit(lambda: _become_daemon(config, "dry-run" if dry_run else ""))


@app.command()
@click.argument("component", help="Name of a configured component.")
@click.argument("action", type=_ACTIONS, metavar="ACTION", help=f"What to do: {', '.join(_ACTIONS.choices)}.")
@click.argument("version", required=False, help="SemVer; needed for update.")
@_config
@click.option("--wait", is_flag=True, help="Show progress and wait for the answer.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="With --wait: the longest wait.",
)
@_json
def submit(
    component: str,
    action: str,
    version: str | None,
    config: Path | None,
    *,
    wait: bool,
    timeout: float,
    json: bool,
) -> None:
    """Submit a request, as the container would."""
    from coordinator.commands import submit as command  # noqa: PLC0415  see the module

    _exit(
        lambda: command.execute(
            _settings(config), component, Action(action), version, wait=wait, timeout_s=timeout, as_json=json
        )
    )


@app.command()
@_request_id
@_config
@_json
def status(request_id: str, config: Path | None, *, json: bool) -> None:
    """Show the state of a request, or how it ended."""
    from coordinator.commands import status as command  # noqa: PLC0415  see the module

    _exit(lambda: command.execute(_settings(config), request_id, as_json=json))


@app.command()
@_config
@click.option("--component", metavar="NAME", help="Only this component's.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="How many, newest first."
)
@_json
def history(config: Path | None, component: str | None, limit: int, *, json: bool) -> None:
    """List the latest requests and how they ended."""
    from coordinator.commands import history as command  # noqa: PLC0415  see the module

    _exit(lambda: command.execute(_settings(config), component, limit, as_json=json))


@app.command()
@_request_id
@_config
@_json
def explain(request_id: str, config: Path | None, *, json: bool) -> None:
    """Show step by step what happened to a request."""
    from coordinator.commands import explain as command  # noqa: PLC0415  see the module

    _exit(lambda: command.execute(_settings(config), request_id, as_json=json))


@app.command()
@_config
@click.option(
    "--scripts/--no-scripts", default=True, show_default=True, help="Also run every component's health-check.sh."
)
@_json
def check(config: Path | None, *, scripts: bool, json: bool) -> None:
    """Run every check of the troubleshooting list, and print a remedy for each problem."""
    from coordinator.commands import check as command  # noqa: PLC0415  see the module

    _exit(lambda: command.execute(_settings(config), scripts=scripts, as_json=json))


@app.command()
def diagram() -> None:
    """Print the state diagram (Mermaid), generated from the transition table."""
    from coordinator.commands import diagram as command  # noqa: PLC0415  see the module

    sys.exit(command.execute())


def main() -> None:
    """The entry point; exit codes: 0 success, 1 the request failed or a check found a problem, 2 usage."""
    app()


def _settings(config: Path | None) -> Settings:
    from coordinator.settings import load_settings  # noqa: PLC0415  see the module

    return load_settings(config)


def _become_daemon(config: Path | None, executor: str) -> NoReturn:
    """Replace this process by the daemon's, without the modules of the command line (I12).

    The pid stays the same, for systemd and for shells. The daemon reads the configuration and reports its errors.

    Raises:
        UnavailableError: the host has no resources for a process now.
        ConfigurationError: this interpreter does not exist any more.
    """
    command = [sys.executable, "-m", "coordinator.main", str(config.resolve()) if config else "", executor]
    try:
        os.execve(sys.executable, command, os.environ | _DAEMON_MEMORY)  # noqa: S606
    except OSError as error:
        raise from_os_error(f"cannot start {sys.executable}: {error.strerror}", error) from None


def _exit(command: Callable[[], int]) -> NoReturn:
    """Execute a command and exit with its code; print the error that prevents its execution."""
    try:
        code = command()
    except (ConfigurationError, UnavailableError) as error:
        click.echo(error, err=True)
        code = USAGE_ERROR if isinstance(error, ConfigurationError) else FAILED
    sys.exit(code)
