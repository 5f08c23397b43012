"""One host in one thread: real journal, spool, intake, runner, publisher, recovery and rebuild.

``coordinator.app.build`` wires them. Only time and scripts are simulated, and ``work`` replaces threads and watcher.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from coordinator.app import build
from coordinator.settings import Component, Limits, Paths, Settings
from coordinator.state_folder import JOURNAL, StateFolder
from coordinator.stop_control import StopControl
from fsm.errors import JournalDamagedError
from fsm.journal import Journal
from property_tests.crash_injector import CrashInjector, KilledError
from property_tests.durability_tracker import DurabilityTracker
from property_tests.fake_executor import FakeExecutor
from property_tests.invariant_observer import InvariantObserver
from property_tests.simulated_database import simulated_database
from property_tests.world import SimulatedClock, World
from protocol.inbox import Inbox
from protocol.messages import FinalStatus, Progress
from protocol.names import SUFFIX
from protocol.outbox import Outbox
from tests.support.coordinator_parts import NoWatcher

if TYPE_CHECKING:
    from loguru import Message

RAM = "/dev/shm"  # noqa: S108  a faster disk, nothing secret
COMPONENTS = ("core", "scheduler", "remote")
NO_ROLLBACK, RERUN, DEFAULT = COMPONENTS
DAY_S = 86400.0


class NoWakeup:
    """A wake-up without effect: with one thread, none waits."""

    signal_fd = -1

    def notify(self) -> None:
        """Do nothing."""


class JournalKeeper(StateFolder):
    """The state folder; ``opened`` is the journal of the coordinator that runs."""

    opened: Journal

    def open_journal(self, *, has_worked_here: bool) -> tuple[Journal, bool]:
        self.opened, lost = super().open_journal(has_worked_here=has_worked_here)
        return self.opened, lost


class FullOutbox(Outbox):
    """``status/`` on a disk that may be full."""

    is_full = False

    def _write(self, name: str, message: FinalStatus | Progress, *, durable: bool) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.directory / name))
        super()._write(name, message, durable=durable)


class Spool:
    """The client's side of the shared folders. Every file gets its own timestamp, so that runs repeat exactly."""

    def __init__(self, requests: Path, status: Path) -> None:
        self.requests = requests
        self.status = status
        self._ticks = 0

    def place(self, name: str, content: bytes | Callable[[Path], None]) -> None:
        """Create ``content`` under ``name`` atomically, replacing an existing file."""
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
        """The names of the request files that the coordinator must answer."""
        return {path.name for path in self.requests.iterdir() if path.name.endswith(SUFFIX)}

    def final(self, request_id: str) -> Path:
        """The path of a final status."""
        return self.status / f"{request_id}{SUFFIX}"


class ErrorLog:
    """The errors with an exception that the product logs, for one host at a time.

    Adding a sink takes loguru several milliseconds, and thousands of hosts are made: one sink serves all of them.
    """

    def __init__(self) -> None:
        self._receiver: list[str] | None = None
        self._is_heard = False

    @contextmanager
    def passed_to(self, receiver: list[str]) -> Iterator[None]:
        """Append the errors to ``receiver`` until the block is left; nothing else is logged."""
        self._is_heard = False
        logger.error("probe: is the sink still installed?")
        if not self._is_heard:
            logger.remove()
            logger.add(self._on_log, level="ERROR", format="{message}\n{exception}")
        self._receiver = receiver
        try:
            yield
        finally:
            self._receiver = None

    def _on_log(self, message: Message) -> None:
        self._is_heard = True
        if self._receiver is not None and message.record["exception"] is not None:
            self._receiver.append(str(message))


_LOG = ErrorLog()


class SimulatedHost:
    """The machine, its disk and its single coordinator; ``close`` removes all of it."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._stack = ExitStack()
        root = Path(self._stack.enter_context(tempfile.TemporaryDirectory(dir=RAM if Path(RAM).is_dir() else None)))
        self.state = root / "state"
        self.clock, self.crash_injector = SimulatedClock(), CrashInjector()
        self.world = World(self.state / "runs", self.clock, self.crash_injector)
        self.spool = Spool(root / "requests", root / "status")
        self.spool.requests.mkdir()
        self.spool.status.mkdir()
        self.settings = Settings(
            paths=Paths(requests=self.spool.requests, status=self.spool.status, state=self.state, log_file=None),
            limits=limits or Limits(settle_s=2),
            components={
                NO_ROLLBACK: Component(directory=Path("/c/core"), on_failure="none"),
                RERUN: Component(directory=Path("/c/scheduler"), lock="compose", on_interruption="rerun"),
                DEFAULT: Component(directory=Path("/c/remote"), lock="compose"),
            },
        )
        self.journal_file = self.state / JOURNAL
        self.disk = DurabilityTracker(self.spool.requests, self.spool.status, self.crash_injector)
        open_database = simulated_database(self.crash_injector, self.disk).open
        self._folder, self._stops = JournalKeeper(self.state, open_database=open_database), StopControl()
        self.observer = InvariantObserver(self.settings, self.journal_file, self.clock)
        self.crash_injector.listeners.append(self.observer.check_effect)
        self.world.on_start = lambda run: self.crash_injector.check(lambda: self.observer.check_start(run))
        self.outbox = FullOutbox(self.spool.status)
        self.unexpected: list[str] = []  # errors that a guard of the coordinator caught; each is a defect
        self.daemon = self._resources = None
        self._last_journal_ids: set[str] = set()
        self._prepare()

    def _prepare(self) -> None:
        for injected in (self.crash_injector.installed(), self.disk.installed()):
            self._stack.enter_context(injected)
        self._stack.enter_context(_LOG.passed_to(self.unexpected))

    def _check_guards(self) -> None:
        """Fail if a guard of the coordinator has caught a violated invariant or a defect."""
        if self.crash_injector.violation is not None:
            raise self.crash_injector.violation from None
        assert not self.unexpected, self.unexpected[0]

    def run_until_killed(
        self, work: Callable[[], None], kill: int | str | None = None, cut: int | None = None
    ) -> list[str]:
        """Run ``work`` until the crash injector kills the coordinator; its memory is then lost.

        Args:
            work: what the coordinator does.
            kill: see ``CrashInjector.armed``.
            cut: None when only the coordinator is killed; else the power fails too, see ``DurabilityTracker.cut``.

        Returns:
            The names of requests that a power cut restored.
        """
        try:
            with self.crash_injector.armed(kill):
                work()
        except KilledError:
            restored = self.down(cut)
            self._check_guards()
            return restored
        except JournalDamagedError:
            if self.daemon:
                self._folder.mark_suspect()
            self.down()
        else:
            if self._stops.is_stopping:
                self.down()
        self._check_guards()
        return []

    def up(self, kill: int | str | None = None, cut: int | None = None) -> list[str]:
        """Start the coordinator."""
        self._resources = ExitStack()
        return self.run_until_killed(self._build, kill, cut)

    def _build(self) -> None:
        self._stops = StopControl()
        self.world.on_stop = lambda: (self._stops.stop(), self._stops.interrupt_all())
        self.daemon = build(
            self.settings,
            self._resources,
            clock=self.clock,
            state=self._folder,
            stops=self._stops,
            executor=FakeExecutor(self.world),
            outbox=self.outbox,
            watcher=NoWatcher(),
            make_wakeup=NoWakeup,
            boot_id=self.world.boot_id,
        )

    def down(self, cut: int | None = None) -> list[str]:
        """End the coordinator; with ``cut``, cut the power too; returns the names of restored requests."""
        with suppress(JournalDamagedError):
            self._last_journal_ids = self.journal_ids()
        self.daemon, self.world.stop_in = None, None
        self.observer.close()
        restored = []
        if cut is not None:
            restored = self.disk.cut(cut)
            self.world.reboot()
        if self._resources:
            self._resources.close()
        self.disk.close()
        return restored

    @property
    def journal(self) -> Journal:
        """The journal of the coordinator that runs."""
        return self._folder.opened

    def journal_ids(self) -> set[str]:
        """The ids in the journal; while no coordinator is up, the ids that it held last."""
        if self.daemon is None:
            return self._last_journal_ids
        return {row[0] for row in self.journal.database.read("SELECT id FROM requests")}

    def work(self, runs: int = 50, stop_in: int | None = None) -> None:
        """Run one pass of the main loop, then up to ``runs`` requests per lane."""
        self.world.stop_in = stop_in
        self.daemon.run_once()
        for lock in self.settings.lanes:
            for _ in range(runs):
                if self._stops.is_stopping or self.daemon.lanes.run_next(lock) != 0:
                    break

    def advance_days(self, days: float) -> None:
        """Let days pass with a running coordinator and blocked lanes; the kernel writes back everything meanwhile."""
        self.work(runs=0)
        self.clock.sleep(days * DAY_S)
        self.disk.settle()
        self.work(runs=0)

    def lose_journal(self) -> bool:
        """Delete the journal; returns whether one existed."""
        parts = [path for path in self.state.glob(f"{JOURNAL}*") if ".damaged" not in path.name]
        for path in parts:
            path.unlink()
        return bool(parts)

    def close(self) -> None:
        """Stop the coordinator and remove the host."""
        if self._resources:
            self.down()
        self._stack.close()


def request(request_id: object, component: object, action: str, version: str | None, **more: object) -> bytes:
    """The content of a request file."""
    fields = {"component": component, "action": action, "version": version, "request_id": request_id}
    return json.dumps(fields | {"timestamp": "2026-01-16T10:30:00Z"} | more).encode()
