"""Shared by the executors' tests: components made of real scripts, a recording observer, waiting for a condition."""

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

EXECUTOR = os.environ.get("TEST_EXECUTOR", "sh")  # tests/system runs the same tests on "systemd", where that runs
CLOCK = SystemClock()
PATIENCE_S = 60.0
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


def until(condition: Callable[[], object]) -> None:
    """Wait until ``condition()`` holds; fail when it does not within ``PATIENCE_S``."""
    deadline = CLOCK.monotonic() + PATIENCE_S
    while not condition():
        assert CLOCK.monotonic() < deadline, "waited in vain"
        CLOCK.sleep(0.005)


def lives(pid_file: Path) -> bool:
    """Whether the process whose pid a script wrote to this file lives (a zombie does not)."""
    try:
        stat = Path(f"/proc/{int(pid_file.read_text())}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def written(path: Path) -> bool:
    """Whether a script has written a whole line to this file."""
    return path.exists() and path.read_text().endswith("\n")


@dataclass
class RecordingObserver:
    """Records its notifications; stops the run once ``stop`` holds, and detaches once ``leave`` does."""

    stop: Callable[[], bool] = lambda: False
    leave: Callable[[], bool] = lambda: False
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
        return self.leave()


def stop_after(condition: Callable[[], object]) -> RecordingObserver:
    """An observer that stops the run once ``condition`` holds."""
    return RecordingObserver(stop=lambda: bool(condition()))


class CoordinatorDied(Exception):  # noqa: N818  not an error: an end
    """The simulated coordinator died here."""


class DyingObserver(RecordingObserver):
    """The coordinator dies as soon as ``when`` holds."""

    def __init__(self, when: Callable[[], bool]) -> None:
        super().__init__()
        self._when = when

    def must_stop(self) -> bool:
        if self._when():
            raise CoordinatorDied
        return False


@dataclass
class Component:
    """A directory of scripts under test; the tests examine the files that they write beside themselves."""

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
    executor: Executor, script_run: ScriptRun, observer: RecordingObserver | None = None, within_s: float = PATIENCE_S
) -> Outcome:
    """Start and wait, as the runner does."""
    executor.start(script_run)
    return executor.wait(script_run, observer or RecordingObserver(), deadline=CLOCK.monotonic() + within_s)


def overrun(executor: Executor, script_run: ScriptRun, sign: str = "pid") -> Outcome:
    """Start, and let the deadline pass once the script has written ``sign``, however long a busy machine takes."""
    executor.start(script_run)
    until(lambda: written(script_run.directory / sign))
    return executor.wait(script_run, RecordingObserver(), deadline=CLOCK.monotonic())


def end(pid_file: Path) -> None:
    """Kill a process that a test left alive on purpose."""
    os.kill(int(pid_file.read_text()), 9)


def leave(settings: ExecutorSettings, script_run: ScriptRun, *signs: str, executor: str = EXECUTOR) -> ProcessId:
    """Start the run in a coordinator that dies once the script has written its signs."""
    doomed = load(executor).create(settings, CLOCK)
    observer = DyingObserver(
        lambda: bool(observer.identities) and all(written(script_run.directory / sign) for sign in signs)
    )
    doomed.start(script_run)
    with suppress(CoordinatorDied):
        doomed.wait(script_run, observer, deadline=CLOCK.monotonic() + PATIENCE_S)
    doomed.close()
    return observer.identities[0]
