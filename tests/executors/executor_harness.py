"""Helpers of the executors' tests: components with real scripts, observers, and waiting for a condition."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from executors.interface import Executor, ExecutorSettings, Outcome, ProcessId, ProgressReport, ScriptRun
from executors.registry import load
from protocol.clock import SystemClock
from protocol.types import Action
from tests.support.polling import wait_until

EXECUTOR = os.environ.get("TEST_EXECUTOR", "sh")  # tests/system runs the same tests with "systemd"
CLOCK = SystemClock()
DEADLINE_S = 60.0
FOREVER = "while :; do sleep 600; done"
IGNORES_TERM = f"trap '' TERM HUP INT; echo $BASHPID >pid; {FOREVER}"


class SteppedClock(SystemClock):
    """A monotonic clock that advances by sleeping only, and then at once."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds


def id_of(request: str = "req-1") -> str:
    """A request's id, unique per test worker: where tests kill a run's shells, its processes are found by the id."""
    return request + os.environ.get("PYTEST_XDIST_WORKER", "")


def is_alive(pid_file: Path) -> bool:
    """Whether the process whose pid a script wrote to this file exists and is no zombie."""
    try:
        stat = Path(f"/proc/{int(pid_file.read_text())}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def written(path: Path) -> bool:
    """Whether a script has written a whole line to this file."""
    return path.exists() and path.read_text().endswith("\n")


@dataclass
class RecordingRunObserver:
    """Records its notifications; stops the run once ``stop`` holds, and detaches once ``detach`` does."""

    stop: Callable[[], bool] = lambda: False
    detach: Callable[[], bool] = lambda: False
    identities: list[ProcessId] = field(default_factory=list)
    reports: list[ProgressReport] = field(default_factory=lambda: [ProgressReport()])

    def started(self, identity: ProcessId) -> None:
        self.identities.append(identity)

    def reported(self, report: ProgressReport) -> None:
        if report != self.reports[-1]:
            self.reports.append(report)

    def must_stop(self) -> bool:
        return self.stop()

    def may_detach(self) -> bool:
        return self.detach()


def stop_after(condition: Callable[[], object]) -> RecordingRunObserver:
    """An observer that stops the run once ``condition`` holds."""
    return RecordingRunObserver(stop=lambda: bool(condition()))


class CoordinatorCrash(Exception):  # noqa: N818  not an error: a simulated event
    """The simulated coordinator crashes here."""


class CrashingObserver(RecordingRunObserver):
    """Simulates a crash of the coordinator as soon as ``when`` holds."""

    def __init__(self, when: Callable[[], bool]) -> None:
        super().__init__()
        self._when = when

    def must_stop(self) -> bool:
        if self._when():
            raise CoordinatorCrash
        return False


@dataclass
class ScriptFolder:
    """A directory of scripts; the scripts write marker files into it, which the tests examine."""

    directory: Path

    def script(self, body: str, name: str = "update.sh") -> None:
        path = self.directory / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)

    def run(self, request: str = "req-1", attempt: int = 1, **changes: object) -> ScriptRun:
        given: dict[str, object] = {
            "request_id": id_of(request),
            "attempt": attempt,
            "lane": "compose",
            "component": "remote",
            "action": Action.UPDATE,
            "directory": self.directory,
            "script": "update.sh",
            "arguments": ("1.2.3",),
            "version": "1.2.3",
            "rollback_of": "",
            "timeout_s": 60.0,
            "kill_grace_s": 0.3,
            "memory_bytes": 64 * 1024 * 1024,
        }
        return ScriptRun(**(given | changes))  # type: ignore[arg-type]

    def pids(self, *names: str) -> list[Path]:
        return [self.directory / name for name in names]


def run(
    executor: Executor,
    script_run: ScriptRun,
    observer: RecordingRunObserver | None = None,
    within_s: float = DEADLINE_S,
) -> Outcome:
    """Start and wait, as the runner does."""
    executor.start(script_run)
    return executor.wait(script_run, observer or RecordingRunObserver(), deadline=CLOCK.monotonic() + within_s)


def overrun(executor: Executor, script_run: ScriptRun, marker: str = "pid") -> Outcome:
    """Start, and let the deadline pass once the script has written ``marker``, however long a busy machine takes."""
    executor.start(script_run)
    wait_until(lambda: written(script_run.directory / marker))
    return executor.wait(script_run, RecordingRunObserver(), deadline=CLOCK.monotonic())


def end(pid_file: Path) -> None:
    """Kill a process that a test left alive on purpose."""
    os.kill(int(pid_file.read_text()), 9)


def start_and_crash(
    settings: ExecutorSettings, script_run: ScriptRun, *markers: str, executor: str = EXECUTOR
) -> ProcessId:
    """Start the run in a coordinator that crashes once the script has written its markers."""
    crashing = load(executor).create(settings, CLOCK)
    observer = CrashingObserver(
        lambda: bool(observer.identities) and all(written(script_run.directory / marker) for marker in markers)
    )
    crashing.start(script_run)
    with suppress(CoordinatorCrash):
        crashing.wait(script_run, observer, deadline=CLOCK.monotonic() + DEADLINE_S)
    crashing.close()
    return observer.identities[0]
