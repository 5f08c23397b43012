"""What outlives a coordinator in the make-believe world: time, scripts, and what became of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from executors.interface import ProcessId, ScriptRun
from property_tests.crash_injector import Fuse
from protocol.types import ExitKind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HandClock:
    """Time that passes only when somebody waits; the wall clock goes where the machine turns it."""

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
        """See ``Clock.sleep``; nobody waits but the coordinator."""
        self.run_for += seconds
        self.pass_unseen(seconds)

    def pass_unseen(self, seconds: float) -> None:
        """Let time pass while no coordinator is up."""
        self._now += seconds
        with suppress(OverflowError):
            self._wall += timedelta(seconds=seconds)

    def jump(self, days: int) -> None:
        """Turn the wall clock; none goes back beyond 1970, where one without a battery begins."""
        with suppress(OverflowError):
            there = self._wall + timedelta(days=days)
            if there.year <= 2400:
                self._wall = max(there, _EPOCH)

    def reboot(self) -> None:
        """The monotonic clock starts again, lower than it was."""
        self._now = 10.0


class Deed(StrEnum):
    """What a script does when it is run."""

    OK = "ok"  # exits with 0
    FAIL = "fail"  # exits with 1
    SIGNALLED = "signalled"  # exits with 137: the kernel killed it
    HANG = "hang"  # runs until somebody stops it
    SESSION_LOST = "session lost"  # killed together with what would have recorded its exit code
    REFUSED = "refused"  # the host cannot start it just now


_EXIT_CODES = {Deed.OK: 0, Deed.FAIL: 1, Deed.SIGNALLED: 137}


@dataclass
class Run:
    """One start of one script, as the world knows it; the coordinator sees it through ``FakeExecutor`` only."""

    request_id: str
    attempt: int
    script: str
    component: str
    lock: str
    deed: Deed
    identity: ProcessId
    beside: list[str]  # scripts of the same lock that were alive at its start (I10)
    version: str
    is_alive: bool = True
    exit_code: int | None = None
    ended_by: ExitKind | None = None  # noted before the first signal, as the real executor does

    @property
    def is_ok(self) -> bool:
        """Whether it did what it was asked: ended by itself, with 0."""
        return not self.is_alive and self.ended_by is None and self.exit_code == 0

    def end(self) -> None:
        """Come to its natural end; one that hangs does not."""
        if self.deed is not Deed.HANG:
            self.is_alive, self.exit_code = False, _EXIT_CODES.get(self.deed)

    def die(self) -> None:
        """Be gone without a trace of how it ended."""
        self.is_alive = False


@dataclass
class World:
    """All that outlives a coordinator: scripts and what became of them. ``history`` is append-only."""

    runs_folder: Path
    clock: HandClock
    fuse: Fuse
    deeds: dict[tuple[str, str], tuple[Deed, ...]] = field(default_factory=dict)
    history: list[Run] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    sessions: dict[tuple[str, int], Run | None] = field(default_factory=dict)  # None: revoked, it can never start
    boot: int = 1
    unsafe: set[str] = field(default_factory=set)  # component directories whose scripts must not be run now
    stop_in: int | None = None  # after how many looks at running scripts the coordinator is told to stop at once
    on_stop: Callable[[], None] = lambda: None
    on_start: Callable[[ScriptRun], None] = lambda _step: None

    @property
    def boot_id(self) -> str:
        """The kernel's name for this boot."""
        return f"boot-{self.boot}"

    def alive(self) -> list[Run]:
        """What runs now."""
        return [run for run in self.history if run.is_alive]

    def runs_of(self, request_id: str, script: str | None = None) -> list[Run]:
        """Every start for a request, in order."""
        return [run for run in self.history if run.request_id == request_id and script in (None, run.script)]

    def reboot(self) -> None:
        """Everything that ran is gone; run folders stay."""
        for run in self.alive():
            run.die()
        self.boot += 1
        self.clock.reboot()

    def next_deed(self, request_id: str, script: str) -> Deed:
        """What the next start of this script will do: the drawn ones one after the other, the last for ever."""
        deeds = self.deeds.get((request_id, script), (Deed.OK,))
        count = len(self.runs_of(request_id, script)) + self.refusals.count((request_id, script))
        return deeds[min(count, len(deeds) - 1)]
