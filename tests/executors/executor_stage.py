"""What the executors' tests share: components made of real scripts, a recording watch, and waiting for a fact."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from executors.step import Executor, Identity, Outcome, Step
from protocol.clock import SystemClock
from protocol.vocabulary import Action

CLOCK = SystemClock()
PATIENCE_S = 60.0


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
    """Remembers what it was told, and wants to stop as soon as ``stop`` holds."""

    stop: Callable[[], bool] = lambda: False
    identities: list[Identity] = field(default_factory=list)
    progress: list[tuple[str | None, int | None]] = field(default_factory=list)

    def started(self, identity: Identity) -> None:
        self.identities.append(identity)

    def progressed(self, phase: str | None, percent: int | None) -> None:
        self.progress.append((phase, percent))

    def must_stop(self) -> bool:
        return self.stop()


@dataclass
class Component:
    """A directory of scripts under test; what they write beside themselves is looked at by the tests."""

    directory: Path

    def script(self, body: str, name: str = "update.sh") -> None:
        path = self.directory / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)

    def step(self, request_id: str = "req-1", attempt: int = 1, **changes: object) -> Step:
        given: dict[str, object] = {
            "request_id": request_id,
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
        }
        return Step(**(given | changes))  # type: ignore[arg-type]

    def pids(self, *names: str) -> list[Path]:
        return [self.directory / name for name in names]


def run(executor: Executor, step: Step, watch: RecordingWatch | None = None, within_s: float = PATIENCE_S) -> Outcome:
    """Start and wait, as the runner does."""
    executor.start(step)
    return executor.wait(step, watch or RecordingWatch(), deadline=CLOCK.monotonic() + within_s)


def end(pid_file: Path) -> None:
    """End a process that a test left alive on purpose."""
    os.kill(int(pid_file.read_text()), 9)
