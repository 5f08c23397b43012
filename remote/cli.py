"""The command line of the container side. What a command does lives in ``remote/commands/``, loaded when asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from remote.errors import ConfigurationError, RemoteError

FAILED = 1
USAGE_ERROR = 2

_config = click.option(
    "--config",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Configuration; default /etc/dunebugger/remote.toml.",
)
_json = click.option("--json", is_flag=True, help="Print JSON, for programs.")


@click.group(name="dunebugger-remote")
def app() -> None:
    """Looks for releases, asks the host for updates, and tells people what becomes of them."""


@app.command()
@_config
def serve(config: Path | None) -> None:
    """Serve the page and the WebSocket until stopped."""
    _leave("serve", config)


@app.command()
@_config
@_json
def check(config: Path | None, *, json: bool) -> None:
    """Try everything that serve needs, and say what to do about each finding."""
    _leave("check", config, as_json=json)


@app.command()
@click.argument("component", help="Name of a component, such as core or dunebugger-core.")
@_config
@click.option("--dry-run", is_flag=True, help="Only tell what would happen.")
@_json
def update(component: str, config: Path | None, *, dry_run: bool, json: bool) -> None:
    """Update a component to its latest release, and wait for the answer."""
    _leave("update", config, component, dry_run=dry_run, as_json=json)


def main() -> None:
    """The entry point; exit codes: 0 success, 1 the request failed or a check found something, 2 usage."""
    app()


def _leave(name: str, config: Path | None, *arguments: Any, **options: Any) -> NoReturn:
    """Load the configuration, then the command, execute it, and end with its exit code."""
    _exit(lambda: _module("commands." + name).execute(_module("settings").load_settings(config), *arguments, **options))


def _exit(command: Callable[[], int]) -> NoReturn:
    try:
        code = command()
    except RemoteError as error:
        click.echo(error, err=True)
        code = USAGE_ERROR if isinstance(error, ConfigurationError) else FAILED
    sys.exit(code)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(f"remote.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in ("remote", "protocol"):
            raise
        raise ConfigurationError(
            f"cannot begin: {error.name} is not installed; install dunebugger-update-coordinator[remote]"
        ) from None
