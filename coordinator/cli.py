"""The command line: what can be typed. What a command does lives in ``coordinator/commands/``, loaded when asked for.

``run`` stays up for years on a small machine, so it loads nothing that only the others need.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from coordinator.errors import ConfigurationError, UnavailableError
from coordinator.settings import load_settings
from protocol.messages import Action

FAILED = 1
USAGE_ERROR = 2

app = typer.Typer(
    name="update-coordinator",
    help="Runs the updates that an unprivileged container asks for, and answers every request exactly once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration; default /etc/dunebugger/update-coordinator.toml."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command()
def run(
    config: Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Start no script: say what would run.")] = False,
) -> None:
    """Run the coordinator in the foreground, as systemd does."""
    _leave(_module("run").execute(config, dry_run=dry_run))


@app.command()
def submit(
    component: Annotated[str, typer.Argument(help="Name of a configured component.")],
    action: Annotated[Action, typer.Argument(help="What to do.")],
    version: Annotated[str | None, typer.Argument(help="SemVer; needed for update.")] = None,
    config: Config = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show progress and wait for the answer.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", help="With --wait: for how many seconds at most.")] = 3600,
    json: Json = False,
) -> None:
    """Submit a request, as the container would."""
    _leave(_command("submit", config, component, action, version, wait=wait, timeout_s=timeout, as_json=json))


@app.command()
def status(
    request_id: Annotated[str, typer.Argument(metavar="ID", help="The request's id.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Show where a request stands, or how it ended."""
    _leave(_command("status", config, request_id, as_json=json))


@app.command()
def history(
    config: Config = None,
    component: Annotated[str | None, typer.Option("--component", help="Only this component's.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")] = 20,
    json: Json = False,
) -> None:
    """List the latest requests and how they ended."""
    _leave(_command("history", config, component, limit, as_json=json))


@app.command()
def explain(
    request_id: Annotated[str, typer.Argument(metavar="ID", help="The request's id.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Tell in plain words what happened to a request, step by step."""
    _leave(_command("explain", config, request_id, as_json=json))


@app.command()
def check(
    config: Config = None,
    scripts: Annotated[
        bool, typer.Option("--scripts/--no-scripts", help="Also run every component's health-check.sh.")
    ] = True,
    json: Json = False,
) -> None:
    """Go through the whole troubleshooting list, and say what to do about each finding."""
    _leave(_command("check", config, scripts=scripts, as_json=json))


@app.command()
def diagram() -> None:
    """Print the state diagram (Mermaid), made from the table of legal moves."""
    _leave(_module("diagram").execute())


def main() -> None:
    """The entry point; exit codes: 0 success, 1 the request failed or a check found something, 2 usage."""
    app()


def _command(name: str, config: Path | None, *arguments: Any, **options: Any) -> int:
    """Load the configuration, then the command, then execute it."""
    try:
        settings = load_settings(config)
        code: int = _module(name).execute(settings, *arguments, **options)
    except (ConfigurationError, UnavailableError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return USAGE_ERROR if isinstance(error, ConfigurationError) else FAILED
    return code


def _module(command: str) -> Any:
    return importlib.import_module(f"coordinator.commands.{command}")


def _leave(code: int) -> NoReturn:
    raise typer.Exit(code)
