"""The main job on real requests: ``make demo``.

Starts a real coordinator on ``./var/demo`` and asks it for a health check, an update, an update to an unhealthy
version, and an update during which the coordinator is killed. Every answer is compared with what it should be, also
on disk.
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
class Scene:
    """One request and what must come of it."""

    title: str
    component: str
    action: Action
    version: str | None
    state: State
    reason: Reason | None
    installed: str
    kill: bool = False


SCENES = (
    Scene("a health request", "core", Action.HEALTH, None, State.SUCCEEDED, None, "1.0.0"),
    Scene("an update that succeeds", "remote", Action.UPDATE, "1.1.0", State.SUCCEEDED, None, "1.1.0"),
    Scene(
        "an update whose new version is unhealthy",
        *("scheduler", Action.UPDATE, "2.0.0-broken"),
        *(State.ROLLED_BACK, Reason.UNHEALTHY, "1.0.0"),
    ),
    Scene(
        "an update during which the coordinator is killed and started again",
        *("core", Action.UPDATE, "1.2.0"),
        *(State.SUCCEEDED, None, "1.2.0"),
        kill=True,
    ),
)


class Stage:
    """Plays scenes on one coordinator, shows them and keeps count of what was not as it should be."""

    def __init__(self, console: Console, coordinator: CoordinatorProcess, client: Client, configuration: Path) -> None:
        """All four stay the caller's."""
        self._console = console
        self._coordinator = coordinator
        self._client = client
        self._configuration = configuration
        self.wrong = 0

    def play(self, scene: Scene) -> str | None:
        """Submit the scene's request, follow it and check its answer.

        Returns:
            The request's id, None when it could not be submitted.
        """
        wish = " ".join(filter(None, [scene.component, scene.action, scene.version]))
        self._console.print(f"\n[bold]{scene.title}[/]: {wish}")
        request_id = None
        try:
            request_id = self._client.submit(scene.component, scene.action, scene.version)
            answer = self._follow(scene, request_id)
        except ProtocolError as error:
            self.check("it was answered", good=False, found=str(error))
        else:
            self._judge(scene, answer)
        return request_id

    def tell(self, command: str, *arguments: str) -> None:
        """Run one of the coordinator's own commands and check that it ends well."""
        self._console.print(f"\n[bold]update-coordinator {' '.join([command, *arguments])}[/]")
        self._console.file.flush()
        told = subprocess.run(
            [sys.executable, "-m", "coordinator", command, *arguments, "--config", str(self._configuration)],
            stdin=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
        self.check(f"{command} ended well", good=told.returncode == 0, found=f"exit code {told.returncode}")

    def check(self, expected: str, *, good: bool, found: object) -> None:
        """Print one line, and count it when it is not ``good``."""
        self.wrong += not good
        mark = "[green]✓[/]" if good else "[red]✗[/]"
        self._console.print(f"  {mark} {expected}")
        if not good:
            self._console.print(f"    found: {found}", markup=False)

    def _follow(self, scene: Scene, request_id: str) -> FinalStatus:
        """Wait for the answer, showing progress; on the way, kill the coordinator if the scene says so."""
        still_to_kill = scene.kill
        bar = _bar(self._console)
        show = self._show_on(bar) if bar else self._show_line()

        def on_progress(progress: Progress) -> None:
            nonlocal still_to_kill
            show(progress)
            if still_to_kill and progress.phase in SCRIPT_PHASES:
                still_to_kill = False
                self._kill_and_restart(progress)

        with bar or nullcontext():
            answer = self._client.wait_for_status(request_id, timeout_s=ANSWER_DEADLINE_S, on_progress=on_progress)
        if scene.kill:
            self.check("the coordinator was killed while update.sh ran", good=not still_to_kill, found="it was not")
        return answer

    def _kill_and_restart(self, progress: Progress) -> None:
        self._coordinator.kill()
        self._console.print(f"  [yellow]![/] coordinator killed with SIGKILL in phase {progress.phase}")
        pid = self._coordinator.start()
        self._console.print(f"  [yellow]![/] coordinator started again, process {pid}")

    def _show_on(self, bar: ProgressBar) -> Callable[[Progress], None]:
        task = bar.add_task("received", total=100)
        return lambda progress: bar.update(task, description=_standing(progress), completed=progress.percent or 0)

    def _show_line(self) -> Callable[[Progress], None]:
        shown = ""

        def show(progress: Progress) -> None:
            nonlocal shown
            if _standing(progress) != shown:
                shown = _standing(progress)
                self._console.print(f"  … {shown}", markup=False)

        return show

    def _judge(self, scene: Scene, answer: FinalStatus) -> None:
        """Compare the answer with the scene, and both with what lies on disk."""
        found = f"{answer.state}, reason {answer.reason}: {answer.message}"
        good = (answer.state, answer.reason) == (scene.state, scene.reason)
        good = good and answer.success == (scene.state is State.SUCCEEDED)
        because = f" because it was {scene.reason}" if scene.reason else ""
        self.check(f"answered {scene.state}{because}", good=good, found=found)

        directory = ROOT / "components" / scene.component
        installed = (directory / "installed" / "VERSION").read_text(encoding="utf-8").strip()
        on_disk = f"{scene.component} {scene.installed} is installed"
        self.check(on_disk, good=installed == scene.installed, found=installed)

        if scene.action is Action.UPDATE:
            runs = (directory / "runs.log").read_text(encoding="utf-8")
            started = runs.count(f"{answer.request_id} update.sh ")
            self.check("update.sh ran exactly once", good=started == 1, found=f"{started} times; all runs:\n{runs}")


def _bar(console: Console) -> ProgressBar | None:
    """A live bar on a terminal, None elsewhere."""
    if not console.is_terminal:
        return None
    columns = (TextColumn("  {task.description:<24}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    return ProgressBar(*columns, TimeElapsedColumn(), console=console, transient=True)


def _standing(progress: Progress) -> str:
    """Where a request stands, in two words at most."""
    return f"{progress.state} {progress.phase}" if progress.phase else str(progress.state)


def main() -> int:
    """Play all scenes.

    Returns:
        0 when everything was as it should be, else 1.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through the finally below
    console = Console(highlight=False, soft_wrap=True)
    shutil.rmtree(ROOT, ignore_errors=True)
    configuration = prepare(ROOT)
    clock = SystemClock()
    coordinator = CoordinatorProcess(configuration, ROOT / "coordinator.log", clock)
    stage = Stage(console, coordinator, Client(ROOT / "requests", ROOT / "status", clock), configuration)
    begun = clock.monotonic()
    try:
        console.print(f"coordinator ready on var/demo, process {coordinator.start()}")
        killed = [request_id for scene in SCENES if (request_id := stage.play(scene)) and scene.kill]
        stage.tell("history")
        for request_id in killed:
            stage.tell("explain", request_id)
        console.print()
        stage.check("the coordinator ended well on SIGTERM", good=coordinator.stop(), found="it did not")
    except RuntimeError as error:
        console.print(str(error), markup=False)
        stage.wrong += 1
    finally:
        coordinator.stop()
    seconds = clock.monotonic() - begun
    if stage.wrong:
        console.print(f"[red]✗ not as it should be: {stage.wrong}[/] (log: var/demo/coordinator.log)")
        return 1
    console.print(f"[green]✓ everything was as it should be[/] ({seconds:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
