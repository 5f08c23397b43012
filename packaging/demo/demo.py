"""Demonstrate the coordinator on real requests: ``make demo``.

Starts a coordinator on ``./var/demo`` and submits a health check, an update, an update to an unhealthy version, and an
update during which the coordinator is killed. Compares every answer, and the files on disk, with the expected result.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator_process import CoordinatorProcess
from prepare import prepare
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from protocol.client import Client
from protocol.clock import SystemClock
from protocol.messages import FinalStatus, Progress
from protocol.types import Action, ProtocolError, Reason, State

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path("var/demo").resolve()
ANSWER_DEADLINE_S = 40.0
SCRIPT_PHASES = frozenset({"download", "backup", "install", "start"})  # what the sample update.sh reports


@dataclass(frozen=True)
class DemoCase:
    """One request and its expected result."""

    title: str
    component: str
    action: Action
    version: str | None
    state: State
    reason: Reason | None
    installed: str
    kill: bool = False


CASES = (
    DemoCase("a health request", "core", Action.HEALTH, None, State.SUCCEEDED, None, "1.0.0"),
    DemoCase("an update that succeeds", "remote", Action.UPDATE, "1.1.0", State.SUCCEEDED, None, "1.1.0"),
    DemoCase(
        "an update whose new version is unhealthy",
        *("scheduler", Action.UPDATE, "2.0.0-broken"),
        *(State.ROLLED_BACK, Reason.UNHEALTHY, "1.0.0"),
    ),
    DemoCase(
        "an update during which the coordinator is killed and started again",
        *("core", Action.UPDATE, "1.2.0"),
        *(State.SUCCEEDED, None, "1.2.0"),
        kill=True,
    ),
)


class DemoRunner:
    """Runs cases on one coordinator, prints the results and counts the failed checks in ``failures``."""

    def __init__(self, console: Console, coordinator: CoordinatorProcess, client: Client, configuration: Path) -> None:
        """The caller owns all four arguments."""
        self._console = console
        self._coordinator = coordinator
        self._client = client
        self._configuration = configuration
        self.failures = 0

    def run_case(self, case: DemoCase) -> str | None:
        """Submit the request of the case, show its progress and check its answer.

        Returns:
            The request id, None when the request could not be submitted.
        """
        request = " ".join(filter(None, [case.component, case.action, case.version]))
        self._console.print(f"\n[bold]{case.title}[/]: {request}")
        request_id = None
        try:
            request_id = self._client.submit(case.component, case.action, case.version)
            answer = self._follow(case, request_id)
        except ProtocolError as error:
            self.check("it was answered", ok=False, found=str(error))
        else:
            self._check_answer(case, answer)
        return request_id

    def run_command(self, command: str, *arguments: str) -> None:
        """Run a command of the coordinator and check that it exits with 0."""
        self._console.print(f"\n[bold]update-coordinator {' '.join([command, *arguments])}[/]")
        self._console.file.flush()
        done = subprocess.run(
            [sys.executable, "-m", "coordinator", command, *arguments, "--config", str(self._configuration)],
            stdin=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
        self.check(f"{command} exited with 0", ok=done.returncode == 0, found=f"exit code {done.returncode}")

    def check(self, expected: str, *, ok: bool, found: object) -> None:
        """Print the result of one check, and count it when it is not ``ok``."""
        self.failures += not ok
        mark = "[green]✓[/]" if ok else "[red]✗[/]"
        self._console.print(f"  {mark} {expected}")
        if not ok:
            self._console.print(f"    found: {found}", markup=False)

    def _follow(self, case: DemoCase, request_id: str) -> FinalStatus:
        """Wait for the answer and show progress; kill the coordinator meanwhile if the case has ``kill``."""
        kill_pending = case.kill
        bar = _bar(self._console)
        show = self._show_on(bar) if bar else self._show_line()

        def on_progress(progress: Progress) -> None:
            nonlocal kill_pending
            show(progress)
            if kill_pending and progress.phase in SCRIPT_PHASES:
                kill_pending = False
                self._kill_and_restart(progress)

        with bar or nullcontext():
            answer = self._client.wait_for_status(request_id, timeout_s=ANSWER_DEADLINE_S, on_progress=on_progress)
        if case.kill:
            self.check("the coordinator was killed while update.sh ran", ok=not kill_pending, found="it was not")
        return answer

    def _kill_and_restart(self, progress: Progress) -> None:
        self._coordinator.kill()
        self._console.print(f"  [yellow]![/] coordinator killed with SIGKILL in phase {progress.phase}")
        pid = self._coordinator.start()
        self._console.print(f"  [yellow]![/] coordinator started again, process {pid}")

    def _show_on(self, bar: ProgressBar) -> Callable[[Progress], None]:
        task = bar.add_task("received", total=100)
        return lambda progress: bar.update(task, description=_format_state(progress), completed=progress.percent or 0)

    def _show_line(self) -> Callable[[Progress], None]:
        shown = ""

        def show(progress: Progress) -> None:
            nonlocal shown
            if _format_state(progress) != shown:
                shown = _format_state(progress)
                self._console.print(f"  … {shown}", markup=False)

        return show

    def _check_answer(self, case: DemoCase, answer: FinalStatus) -> None:
        """Compare the answer and the files on disk with the expected result."""
        found = f"{answer.state}, reason {answer.reason}: {answer.message}"
        ok = (answer.state, answer.reason) == (case.state, case.reason)
        ok = ok and answer.success == (case.state is State.SUCCEEDED)
        reason = f", reason {case.reason}" if case.reason else ""
        self.check(f"answered {case.state}{reason}", ok=ok, found=found)

        directory = ROOT / "components" / case.component
        installed = (directory / "installed" / "VERSION").read_text(encoding="utf-8").strip()
        on_disk = f"{case.component} {case.installed} is installed"
        self.check(on_disk, ok=installed == case.installed, found=installed)

        if case.action is Action.UPDATE:
            runs = (directory / "runs.log").read_text(encoding="utf-8")
            started = runs.count(f"{answer.request_id} update.sh ")
            self.check("update.sh ran exactly once", ok=started == 1, found=f"{started} times; all runs:\n{runs}")


def _bar(console: Console) -> ProgressBar | None:
    """A live bar on a terminal, None elsewhere."""
    if not console.is_terminal:
        return None
    columns = (TextColumn("  {task.description:<24}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    return ProgressBar(*columns, TimeElapsedColumn(), console=console, transient=True)


def _format_state(progress: Progress) -> str:
    """State and phase of a request."""
    return f"{progress.state} {progress.phase}" if progress.phase else str(progress.state)


def main() -> int:
    """Run all cases.

    Returns:
        0 when every check succeeded, else 1.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # runs the finally below
    console = Console(highlight=False, soft_wrap=True)
    shutil.rmtree(ROOT, ignore_errors=True)
    configuration = prepare(ROOT)
    clock = SystemClock()
    coordinator = CoordinatorProcess(configuration, ROOT / "coordinator.log", clock)
    runner = DemoRunner(console, coordinator, Client(ROOT / "requests", ROOT / "status", clock), configuration)
    started = clock.monotonic()
    try:
        console.print(f"coordinator ready on var/demo, process {coordinator.start()}")
        killed = [request_id for case in CASES if (request_id := runner.run_case(case)) and case.kill]
        runner.run_command("history")
        for request_id in killed:
            runner.run_command("explain", request_id)
        console.print()
        runner.check("the coordinator exited with 0 on SIGTERM", ok=coordinator.stop(), found="it did not")
    except RuntimeError as error:
        console.print(str(error), markup=False)
        runner.failures += 1
    finally:
        coordinator.stop()
    seconds = clock.monotonic() - started
    if runner.failures:
        console.print(f"[red]✗ failed checks: {runner.failures}[/] (log: var/demo/coordinator.log)")
        return 1
    console.print(f"[green]✓ all checks succeeded[/] ({seconds:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
