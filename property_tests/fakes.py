"""What the coordinator machine fakes: time, scripts, and the hand that pulls the plug. Everything else is real."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from unittest.mock import patch

from executors.errors import CannotStartError
from executors.step import Conclusion, Identity, Objection, Outcome, Step, Trace, Watch
from fsm.database import Database
from protocol.inbox import Inbox
from protocol.messages import Reason


class KilledError(BaseException):
    """The process died here. Not an ``Exception``: nothing in the coordinator may survive it by catching it."""


class Fuse:
    """Kills before the n-th effect from now; ``burnt`` lists the effects that happened, for the report."""

    def __init__(self) -> None:
        self._left: int | None = None
        self._is_watching = False
        self.burnt: list[str] = []

    @contextmanager
    def armed(self, effects: int | None) -> Iterator[None]:
        """Let ``effects`` of them happen, then kill; None lets all happen."""
        self._left, self._is_watching, self.burnt = effects, True, []
        try:
            yield
        finally:
            self._left, self._is_watching = None, False

    def step(self, effect: str) -> None:
        """An effect is about to happen."""
        if not self._is_watching:
            return
        if self._left == 0:
            raise KilledError(effect)
        self.burnt.append(effect)
        if self._left is not None:
            self._left -= 1

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """Put the fuse before each commit, and before each system call that changes a folder or a file."""
        with ExitStack() as patches:
            for name in ("unlink", "rename", "mkdir", "rmdir", "write"):
                patches.enter_context(patch.object(os, name, self._before(name, getattr(os, name))))
            patches.enter_context(patch.object(Database, "transaction", self._transaction(Database.transaction)))
            yield

    def _before(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def fused(first: Any, *rest: Any, **options: Any) -> Any:
            self.step(f"{name} {Path(first).name if isinstance(first, str | os.PathLike) else ''}".strip())
            return call(first, *rest, **options)

        return fused

    def _transaction(self, original: Callable[[Database], Any]) -> Callable[[Database], Any]:
        @contextmanager
        def transaction(database: Database) -> Iterator[None]:
            is_outermost = not database._connection.in_transaction
            with original(database):
                yield
                if is_outermost:
                    self.step("commit")

        return transaction


class HandClock:
    """Time that passes only when somebody waits; the wall clock goes where the machine turns it."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._wall = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)

    def monotonic(self) -> float:
        """See ``Clock.monotonic``."""
        return self._now

    def utc(self) -> datetime:
        """See ``Clock.utc``."""
        return self._wall

    def sleep(self, seconds: float) -> None:
        """See ``Clock.sleep``."""
        self._now += seconds
        with suppress(OverflowError):
            self._wall += timedelta(seconds=seconds)

    def jump(self, years: int) -> None:
        """Turn the wall clock, within what a datetime holds."""
        with suppress(OverflowError):
            there = self._wall + timedelta(days=365 * years)
            if 1971 <= there.year <= 2400:
                self._wall = there

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
    identity: Identity
    beside: list[str]  # scripts of the same lock that were alive at its start (I10)
    version: str
    is_alive: bool = True
    exit_code: int | None = None
    ended_by: Conclusion | None = None  # noted before the first signal, as the real executor does

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


class FakeExecutor:
    """Keeps the contract of ``executors.step.Executor`` towards a world of make-believe scripts."""

    def __init__(self, world: World) -> None:
        self._world = world

    def vet(self, directory: Path, script: str) -> Objection | None:
        """See ``Executor.vet``."""
        if directory.name in self._world.unsafe:
            return Objection(Reason.SCRIPT_UNSAFE, f"cannot run {script}: others may write it")
        return None

    def start(self, step: Step) -> None:
        """See ``Executor.start``: a folder for the attempt, then the script, as the real one does."""
        world, key = self._world, (step.request_id, step.attempt)
        folder = world.runs_folder / step.request_id / str(step.attempt)
        if folder.exists():
            raise CannotStartError(f"cannot start {step.script}: this attempt was made")
        deed = world.next_deed(step.request_id, step.script)
        if deed is Deed.REFUSED:
            world.refusals.append((step.request_id, step.script))
            raise CannotStartError(f"cannot start {step.script}: out of processes")
        _make(folder)
        world.fuse.step("start")
        beside = [f"{run.request_id}/{run.attempt} {run.script}" for run in world.alive() if run.lock == step.lane]
        identity = Identity(world.boot_id, 100 + len(world.history), 7 * len(world.history))
        run = Run(*key, step.script, step.component, step.lane, deed, identity, beside, step.version)
        world.history.append(run)
        world.sessions[key] = run
        world.fuse.step("look on")  # the script runs; its coordinator may die before it knows

    def wait(self, step: Step, watch: Watch, *, deadline: float) -> Outcome:
        """See ``Executor.wait``."""
        world = self._world
        run = world.sessions[step.request_id, step.attempt]
        if run is None:
            raise AssertionError("waited for a run that was revoked")
        watch.started(run.identity)
        watch.progressed("working", 50)
        if world.stop_in is not None:
            if world.stop_in == 0:
                world.on_stop()
            world.stop_in -= 1
        world.fuse.step("watch")
        if run.is_alive and run.ended_by is None and not watch.must_stop():
            run.end()
            world.clock.sleep(1.0)
        if run.is_alive or run.ended_by:
            if not watch.must_stop() and run.ended_by is None:
                world.clock.sleep(max(0.0, deadline - world.clock.monotonic()))
            run.ended_by = run.ended_by or (Conclusion.INTERRUPTED if watch.must_stop() else Conclusion.TIMED_OUT)
            world.fuse.step("signal")
            run.die()
        world.fuse.step("see the end")
        return self.collect(step)

    def trace(self, step: Step, identity: Identity | None, boot_id: str) -> Trace:
        """See ``Executor.trace``."""
        world, key = self._world, (step.request_id, step.attempt)
        run = world.sessions.get(key)
        if run is not None and run.exit_code is not None:
            return Trace.ENDED
        if boot_id != world.boot_id:
            return Trace.UNKNOWN
        if run is None:
            _make(world.runs_folder / step.request_id / str(step.attempt))
            world.sessions[key] = None
            return Trace.NEVER_STARTED
        return Trace.ALIVE if run.is_alive and identity in (None, run.identity) else Trace.UNKNOWN

    def collect(self, step: Step) -> Outcome:
        """See ``Executor.collect``."""
        run = self._world.sessions.get((step.request_id, step.attempt))
        conclusion = (run.ended_by if run else None) or Conclusion.INTERRUPTED
        if run is not None and run.ended_by is None and run.exit_code is not None:
            conclusion = Conclusion.EXITED
        words = f"{step.script} of {step.request_id}\n" if run else ""
        return Outcome(conclusion, run.exit_code if run else None, words, "")

    def forget(self, request_id: str) -> None:
        """See ``Executor.forget``."""
        self._world.fuse.step("forget")
        shutil.rmtree(self._world.runs_folder / request_id, ignore_errors=True)
        for key in [key for key in self._world.sessions if key[0] == request_id]:
            del self._world.sessions[key]

    def quell(self) -> None:
        """End what an earlier coordinator started and still runs; for a start without its journal (I10, I13)."""
        for run in self._world.alive():
            run.ended_by = Conclusion.INTERRUPTED
            self._world.fuse.step("quell")
            run.die()

    def close(self) -> None:
        """See ``Executor.close``."""


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)


class NoBell:
    """Nobody sleeps in one thread, so nobody is rung."""

    signal_fd = -1

    def ring(self) -> None:
        """Nothing."""


class NoWatcher:
    """The machine calls for passes itself."""

    def __init__(self, *_: object) -> None:
        self.is_started = False


class Spool:
    """The client's hand on the shared folders; every file gets a stamp of its own, so that runs repeat exactly."""

    def __init__(self, requests: Path, status: Path) -> None:
        self.requests = requests
        self.status = status
        self._ticks = 0

    def place(self, name: str, content: bytes | Callable[[Path], None]) -> None:
        """Let ``content`` appear under ``name`` at once, in the place of whatever was there."""
        path = self.requests / name
        if path.is_symlink() or path.exists():
            Inbox(self.requests, 0).remove(name)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content)
        self._ticks += 1
        stamp = 1_700_000_000 * 10**9 + self._ticks * 10**6
        os.utime(path, ns=(stamp, stamp), follow_symlinks=False)

    def names(self) -> set[str]:
        """What lies in ``requests/`` for the coordinator to answer."""
        return {path.name for path in self.requests.iterdir() if path.name.endswith(".json")}
