"""The simulated world around a coordinator: time, scripts, and their outcomes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from executors.interface import ProcessId, ScriptRun
from property_tests.crash_injector import CrashInjector
from protocol.types import ExitKind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SimulatedClock:
    """A clock that advances only by sleeping; the wall clock can be set independently."""

    def __init__(self) -> None:
        self._now = 1000.0
        self.run_for = 0.0  # seconds that passed while a coordinator was up
        self._wall = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)

    def monotonic(self) -> float:
        """See ``Clock.monotonic``."""
        return self._now

    def utc(self) -> datetime:
        """See ``Clock.utc``."""
        return self._wall

    def sleep(self, seconds: float) -> None:
        """See ``Clock.sleep``; only the coordinator sleeps."""
        self.run_for += seconds
        self.advance_while_down(seconds)

    def advance_while_down(self, seconds: float) -> None:
        """Advance both clocks while no coordinator is up."""
        self._now += seconds
        with suppress(OverflowError):
            self._wall += timedelta(seconds=seconds)

    def jump(self, days: int) -> None:
        """Set the wall clock; the earliest time is 1970, where a clock without a battery starts."""
        with suppress(OverflowError):
            target = self._wall + timedelta(days=days)
            if target.year <= 2400:
                self._wall = max(target, _EPOCH)

    def reboot(self) -> None:
        """Restart the monotonic clock, below its previous value."""
        self._now = 10.0


class ScriptBehavior(StrEnum):
    """What a script does when it runs."""

    OK = "ok"  # exits with 0
    FAIL = "fail"  # exits with 1
    SIGNALLED = "signalled"  # exits with 137: the kernel killed it
    HANG = "hang"  # runs until it is stopped
    WORKER_LOST = "worker lost"  # killed together with the shell that records its exit code
    CANNOT_START = "cannot start"  # the host cannot start it


_EXIT_CODES = {ScriptBehavior.OK: 0, ScriptBehavior.FAIL: 1, ScriptBehavior.SIGNALLED: 137}


@dataclass
class Run:
    """One start of one script; the coordinator sees it through ``FakeExecutor`` only."""

    request_id: str
    attempt: int
    script: str
    component: str
    lock: str
    behavior: ScriptBehavior
    identity: ProcessId
    overlapping: list[str]  # scripts of the same lock that were alive at its start (I10)
    version: str
    is_alive: bool = True
    exit_code: int | None = None
    ended_by: ExitKind | None = None  # recorded before the first signal, as the real executor does

    @property
    def is_ok(self) -> bool:
        """Whether it exited with code 0 and was not ended by the coordinator."""
        return not self.is_alive and self.ended_by is None and self.exit_code == 0

    def end(self) -> None:
        """Exit with the code of its behavior; a hanging script does not exit."""
        if self.behavior is not ScriptBehavior.HANG:
            self.is_alive, self.exit_code = False, _EXIT_CODES.get(self.behavior)

    def kill(self) -> None:
        """End without a recorded exit code."""
        self.is_alive = False


@dataclass
class World:
    """Everything that persists when a coordinator ends. ``history`` is append-only."""

    runs_folder: Path
    clock: SimulatedClock
    crash_injector: CrashInjector
    behaviors: dict[tuple[str, str], tuple[ScriptBehavior, ...]] = field(default_factory=dict)
    history: list[Run] = field(default_factory=list)
    failed_starts: list[tuple[str, str]] = field(default_factory=list)
    workers: dict[tuple[str, int], Run | None] = field(default_factory=dict)  # None: revoked, can never start
    boot: int = 1
    unsafe: set[str] = field(default_factory=set)  # component directories whose scripts fail vetting
    stop_in: int | None = None  # number of waits after which the coordinator must stop at once
    on_stop: Callable[[], None] = lambda: None
    on_start: Callable[[ScriptRun], None] = lambda _script_run: None

    @property
    def boot_id(self) -> str:
        """The identity of the current boot."""
        return f"boot-{self.boot}"

    def alive(self) -> list[Run]:
        """The running scripts."""
        return [run for run in self.history if run.is_alive]

    def runs_of(self, request_id: str, script: str | None = None) -> list[Run]:
        """Every start for a request, in order."""
        return [run for run in self.history if run.request_id == request_id and script in (None, run.script)]

    def reboot(self) -> None:
        """End everything that runs; run directories stay."""
        for run in self.alive():
            run.kill()
        self.boot += 1
        self.clock.reboot()

    def next_behavior(self, request_id: str, script: str) -> ScriptBehavior:
        """What the next start of this script does: the drawn behaviors in order, then the last one repeatedly."""
        behaviors = self.behaviors.get((request_id, script), (ScriptBehavior.OK,))
        count = len(self.runs_of(request_id, script)) + self.failed_starts.count((request_id, script))
        return behaviors[min(count, len(behaviors) - 1)]
