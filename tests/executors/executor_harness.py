"""What the executors' tests share: components made of real scripts, a recording watch, and waiting for a fact."""

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
DEAF = f"trap '' TERM HUP INT; echo $BASHPID >pid; {FOREVER}"


def id_of(request: str = "req-1") -> str:
    """A request's id, no other worker's: where two of them rob runs of their shells, each ends what carries its id."""
    return request + os.environ.get("PYTEST_XDIST_WORKER", "")


def until(fact: Callable[[], object]) -> None:
    """Wait until ``fact()`` holds; fail when it does not in a generous time."""
    deadline = CLOCK.monotonic() + PATIENCE_S
    while not fact():
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
class RecordingWatch:
    """Remembers what it was told; wants to stop once ``stop`` holds, and may leave once ``leave`` does."""

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


def after(fact: Callable[[], object]) -> RecordingWatch:
    """A watch that wants to stop once ``fact`` holds."""
    return RecordingWatch(stop=lambda: bool(fact()))


class Dead(Exception):  # noqa: N818  not an error: an end
    """The coordinator died here."""


class Dying(RecordingWatch):
    """Dies as soon as ``when`` holds."""

    def __init__(self, when: Callable[[], bool]) -> None:
        super().__init__()
        self._when = when

    def must_stop(self) -> bool:
        if self._when():
            raise Dead
        return False


@dataclass
class Component:
    """A directory of scripts under test; what they write beside themselves is looked at by the tests."""

    directory: Path

    def script(self, body: str, name: str = "update.sh") -> None:
        path = self.directory / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)

    def step(self, request: str = "req-1", attempt: int = 1, **changes: object) -> ScriptRun:
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
    executor: Executor, step: ScriptRun, watch: RecordingWatch | None = None, within_s: float = PATIENCE_S
) -> Outcome:
    """Start and wait, as the runner does."""
    executor.start(step)
    return executor.wait(step, watch or RecordingWatch(), deadline=CLOCK.monotonic() + within_s)


def overrun(executor: Executor, step: ScriptRun, sign: str = "pid") -> Outcome:
    """Start, and let the time limit pass once the script has written ``sign``, however long a busy machine takes."""
    executor.start(step)
    until(lambda: written(step.directory / sign))
    return executor.wait(step, RecordingWatch(), deadline=CLOCK.monotonic())


def end(pid_file: Path) -> None:
    """End a process that a test left alive on purpose."""
    os.kill(int(pid_file.read_text()), 9)


def leave(settings: ExecutorSettings, step: ScriptRun, *signs: str, executor: str = EXECUTOR) -> ProcessId:
    """Let a coordinator start the step, see its signs, and die."""
    doomed = load(executor).create(settings, CLOCK)
    watch = Dying(lambda: bool(watch.identities) and all(written(step.directory / sign) for sign in signs))
    doomed.start(step)
    with suppress(Dead):
        doomed.wait(step, watch, deadline=CLOCK.monotonic() + PATIENCE_S)
    doomed.close()
    return watch.identities[0]
