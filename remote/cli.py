"""Command line of the container side."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from remote.errors import RemoteConfigurationError, RemoteError

if TYPE_CHECKING:
    from remote.settings import RemoteSettings

# httpx imports its own command line where click and rich are installed: 3 MB that no command here uses.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

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
    """Checks for releases, requests updates from the host, and shows their results."""


# Each command is imported when it runs: on a host without the extra "remote" the help works, and a command reports
# what to install.


@app.command()
@_config
def serve(config: Path | None) -> None:
    """Serve the page and the WebSocket until stopped."""

    def command(settings: RemoteSettings) -> int:
        from remote.commands.serve import execute  # noqa: PLC0415

        return execute(settings)

    _run(command, config)


@app.command()
@_config
@_json
def check(config: Path | None, *, json: bool) -> None:
    """Check everything that serve needs, and print a remedy for each problem."""

    def command(settings: RemoteSettings) -> int:
        from remote.commands.check import execute  # noqa: PLC0415

        return execute(settings, as_json=json)

    _run(command, config)


@app.command()
@click.argument("component", help="Name of a component, such as core or dunebugger-core.")
@_config
@click.option("--dry-run", is_flag=True, help="Only report what would happen.")
@_json
def update(component: str, config: Path | None, *, dry_run: bool, json: bool) -> None:
    """Update a component to its latest release, and wait for the answer."""

    def command(settings: RemoteSettings) -> int:
        from remote.commands.update import execute  # noqa: PLC0415

        return execute(settings, component, dry_run=dry_run, as_json=json)

    _run(command, config)


def main() -> None:
    """The entry point; exit codes: 0 success, 1 the request failed or a check found a problem, 2 usage."""
    app()


def _run(command: Callable[[RemoteSettings], int], config: Path | None) -> NoReturn:
    """Load the configuration, run a command, and exit with its code."""
    try:
        from remote.settings import load_settings  # noqa: PLC0415

        code = command(load_settings(config))
    except RemoteError as error:
        click.echo(error, err=True)
        code = USAGE_ERROR if isinstance(error, RemoteConfigurationError) else FAILED
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in ("remote", "protocol"):
            raise
        click.echo(
            f"cannot start: {error.name} is not installed; install dunebugger-update-coordinator[remote]", err=True
        )
        code = USAGE_ERROR
    sys.exit(code)
