"""``update-coordinator submit``: writes a request to the shared folder, as the container does."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from coordinator.render import colour, print_error
from coordinator.settings import Settings
from protocol import messages
from protocol.client import Client
from protocol.clock import SystemClock
from protocol.types import Action, ProtocolError


def execute(
    settings: Settings,
    component: str,
    action: Action,
    version: str | None,
    *,
    wait: bool,
    timeout_s: float,
    as_json: bool,
) -> int:
    """Submit, and with ``wait`` follow until the answer; 1 when the request failed or no answer came."""
    client = Client(settings.paths.requests, settings.paths.status, SystemClock())
    console = Console(highlight=False, soft_wrap=True)
    try:
        request_id = client.submit(component, action, version)
        if not wait:
            console.out(f'{{"request_id": "{request_id}"}}' if as_json else request_id)
            return 0
        quiet = as_json or not sys.stdout.isatty()
        final = (_follow_plainly if quiet else _follow)(client, request_id, timeout_s, console, silent=as_json)
    except ProtocolError as error:
        return print_error(str(error))
    if as_json:
        console.out(final.model_dump_json(indent=2))
    else:
        console.print(Text.assemble((final.state, colour(final.state)), f": {final.message}"))
    return 0 if final.success else 1


def _follow(
    client: Client, request_id: str, timeout_s: float, console: Console, *, silent: bool
) -> messages.FinalStatus:
    """A bar with the phase, on a terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[state]}"),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=silent) as bar:
        task = bar.add_task("waiting for the coordinator", total=None, state="submitted")

        def show(progress: messages.Progress) -> None:
            total = None if progress.percent is None else 100
            bar.update(
                task,
                description=progress.phase or "",
                state=progress.state,
                total=total,
                completed=progress.percent or 0,
            )

        return client.wait_for_status(request_id, timeout_s=timeout_s, on_progress=show)


def _follow_plainly(
    client: Client, request_id: str, timeout_s: float, console: Console, *, silent: bool
) -> messages.FinalStatus:
    """A line for each new state, phase or percentage, for output that is not a terminal."""
    shown = ""

    def show(progress: messages.Progress) -> None:
        nonlocal shown
        percent = "" if progress.percent is None else f" {progress.percent} %"
        line = f"{progress.state} {progress.phase or ''}{percent}".rstrip()
        if line != shown:
            shown = line
            console.print(line, markup=False)

    if not silent:
        console.print(f"submitted {request_id}")
    return client.wait_for_status(request_id, timeout_s=timeout_s, on_progress=None if silent else show)
