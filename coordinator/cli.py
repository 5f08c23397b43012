"""The command line: what can be typed. What a command does lives in ``coordinator/commands/``, loaded when asked for.

``run`` stays up for years on a small machine and must be back soon after each death, so nothing is loaded here that
only the others need: no pydantic, and so no settings either.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from coordinator.errors import ConfigurationError, UnavailableError
from protocol.types import Action

FAILED = 1
USAGE_ERROR = 2

_config = click.option(
    "--config",
    type=click.Path(path_type=Path, readable=False),  # who reads it says why it cannot, and whether time may mend that
    metavar="FILE",
    help="Configuration; default /etc/dunebugger/update-coordinator.toml.",
)
_json = click.option("--json", is_flag=True, help="Print JSON, for programs.")
_ACTIONS = click.Choice([action.value for action in Action])
_request_id = click.argument("request_id", metavar="ID", help="The request's id.")


@click.group(name="update-coordinator")
def app() -> None:
    """Runs the updates that an unprivileged container asks for, and answers every request exactly once."""


@app.command()
@_config
@click.option("--dry-run", is_flag=True, help="Start no script: say what would run.")
def run(config: Path | None, *, dry_run: bool) -> None:
    """Run the coordinator in the foreground, as systemd does."""
    _exit(lambda: _module("run").execute(config, dry_run=dry_run))


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
    help="With --wait: for how long at most.",
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
    _leave("submit", config, component, Action(action), version, wait=wait, timeout_s=timeout, as_json=json)


@app.command()
@_request_id
@_config
@_json
def status(request_id: str, config: Path | None, *, json: bool) -> None:
    """Show where a request stands, or how it ended."""
    _leave("status", config, request_id, as_json=json)


@app.command()
@_config
@click.option("--component", metavar="NAME", help="Only this component's.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="How many, newest first."
)
@_json
def history(config: Path | None, component: str | None, limit: int, *, json: bool) -> None:
    """List the latest requests and how they ended."""
    _leave("history", config, component, limit, as_json=json)


@app.command()
@_request_id
@_config
@_json
def explain(request_id: str, config: Path | None, *, json: bool) -> None:
    """Tell in plain words what happened to a request, step by step."""
    _leave("explain", config, request_id, as_json=json)


@app.command()
@_config
@click.option(
    "--scripts/--no-scripts", default=True, show_default=True, help="Also run every component's health-check.sh."
)
@_json
def check(config: Path | None, *, scripts: bool, json: bool) -> None:
    """Go through the whole troubleshooting list, and say what to do about each finding."""
    _leave("check", config, scripts=scripts, as_json=json)


@app.command()
def diagram() -> None:
    """Print the state diagram (Mermaid), made from the table of legal moves."""
    sys.exit(_module("diagram").execute())


def main() -> None:
    """The entry point; exit codes: 0 success, 1 the request failed or a check found something, 2 usage."""
    app()


def _leave(name: str, config: Path | None, *arguments: Any, **options: Any) -> NoReturn:
    """Load the configuration, then the command, then execute it."""
    load = importlib.import_module("coordinator.settings").load_settings
    _exit(lambda: _module(name).execute(load(config), *arguments, **options))


def _exit(command: Callable[[], int]) -> NoReturn:
    """Execute it and end with its exit code; say in words what keeps it from its work."""
    try:
        code = command()
    except (ConfigurationError, UnavailableError) as error:
        click.echo(error, err=True)
        code = USAGE_ERROR if isinstance(error, ConfigurationError) else FAILED
    sys.exit(code)


def _module(command: str) -> Any:
    return importlib.import_module(f"coordinator.commands.{command}")
