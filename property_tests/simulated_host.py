"""One host in one thread: real journal, spool, intake, runner, publisher, recovery and rebuild.

``coordinator.app.build`` wires them. Only time and scripts are simulated, and ``work`` replaces threads and watcher.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from loguru import logger

import executors.registry
from coordinator import app, lanes
from coordinator.settings import Component, Limits, Paths, Settings
from fsm.errors import JournalDamagedError
from property_tests.crash_injector import CrashInjector, KilledError
from property_tests.durability_tracker import DurabilityTracker
from property_tests.fake_executor import FakeExecutor
from property_tests.invariant_observer import InvariantObserver
from property_tests.world import SimulatedClock, World
from protocol import outbox
from protocol.inbox import Inbox
from protocol.names import SUFFIX

RAM = "/dev/shm"  # noqa: S108  a faster disk, nothing secret
COMPONENTS = ("core", "scheduler", "remote")
NO_ROLLBACK, RERUN, CAREFUL = COMPONENTS
DAY_S = 86400.0


class NoWakeup:
    """A wake-up without a listener: in one thread nothing sleeps."""

    signal_fd = -1

    def notify(self) -> None:
        """Do nothing."""


class NoWatcher:
    """A watcher that never wakes: passes are called explicitly."""

    def __init__(self, *_: object) -> None:
        self.is_started = False


class Spool:
    """The client's side of the shared directories. Every file gets its own timestamp, so that runs repeat exactly."""

    def __init__(self, requests: Path, status: Path) -> None:
        self.requests = requests
        self.status = status
        self._ticks = 0

    def place(self, name: str, content: bytes | Callable[[Path], None]) -> None:
        """Create ``content`` under ``name`` atomically, replacing what was there."""
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

    def ask(self, request_id: str, action: str, component: str, version: str | None = "1.0.0") -> None:
        """Submit a well-formed request."""
        self.place(f"{request_id}{SUFFIX}", request(request_id, component, action, version))

    def names(self) -> set[str]:
        """The request files the coordinator must answer."""
        return {path.name for path in self.requests.iterdir() if path.name.endswith(SUFFIX)}

    def final(self, request_id: str) -> Path:
        """The path of a final status."""
        return self.status / f"{request_id}{SUFFIX}"


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
                CAREFUL: Component(directory=Path("/c/remote"), lock="compose"),
            },
        )
        self.journal_file = self.state / app.JOURNAL
        self.disk = DurabilityTracker(self.spool.requests, self.spool.status, self.crash_injector)
        self.observer = InvariantObserver(self.settings, self.journal_file, self.clock)
        self.crash_injector.listeners.append(self.observer.check_effect)
        self.world.on_start = self.observer.check_start
        self.is_full = False  # True: status writes fail with ENOSPC
        self.daemon = self._resources = None
        self._known: set[str] = set()
        self._put_fakes_in_place()

    def _put_fakes_in_place(self) -> None:
        kind = SimpleNamespace(create=lambda _settings, _clock: FakeExecutor(self.world))
        for patched in (
            patch.object(executors.registry, "load", lambda _name: kind),
            patch.object(app, "boot_id", lambda: self.world.boot_id),
            patch.object(app, "Watcher", NoWatcher),
            patch.object(app, "Wakeup", NoWakeup),
            patch.object(lanes, "Wakeup", NoWakeup),
            patch.object(outbox, "write_atomic", self._fail_when_full(outbox.write_atomic)),
            self.crash_injector.installed(),
            self.disk.installed(),
        ):
            self._stack.enter_context(patched)
        logger.disable("coordinator")
        self._stack.callback(logger.enable, "coordinator")

    def _fail_when_full(self, original: Callable[..., None]) -> Callable[..., None]:
        def write_atomic(path: Path, *arguments: object, **options: object) -> None:
            if self.is_full and path.name.endswith(SUFFIX):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            original(path, *arguments, **options)

        return write_atomic

    def run_until_killed(
        self, work: Callable[[], None], kill: int | str | None = None, cut: int | None = None
    ) -> list[str]:
        """Run ``work`` until the crash injector kills the coordinator; its memory is then lost.

        Args:
            work: what the coordinator does.
            kill: see ``CrashInjector.armed``.
            cut: None when only the coordinator dies; else the power fails too, see ``DurabilityTracker.cut``.

        Returns:
            The names of requests that a power cut restored.
        """
        try:
            with self.crash_injector.armed(kill):
                work()
        except KilledError:
            return self.down(cut)
        except JournalDamagedError as error:
            self.daemon._fatal(error)
            self.down()
        else:
            if self.daemon._stopping.is_set():
                self.down()
        return []

    def up(self, kill: int | str | None = None, cut: int | None = None) -> list[str]:
        """Start the coordinator."""
        self._resources = ExitStack()
        return self.run_until_killed(self._build, kill, cut)

    def _build(self) -> None:
        self.daemon = daemon = app.build(self.settings, self.clock, self._resources)
        daemon._abandon_unconfigured()
        self.world.on_stop = lambda: (daemon._stopping.set(), daemon._must_stop.set())

    def down(self, cut: int | None = None) -> list[str]:
        """End the coordinator; with ``cut``, cut the power too."""
        with suppress(JournalDamagedError):
            self._known = self.known()
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

    def known(self) -> set[str]:
        """The ids in the journal; while no coordinator is up, the ids it held last."""
        return {row[0] for row in self.daemon._journal.read("SELECT id FROM requests")} if self.daemon else self._known

    def work(self, runs: int = 50, stop_in: int | None = None) -> None:
        """Run one pass of the main loop, then up to ``runs`` requests per lane."""
        daemon, self.world.stop_in = self.daemon, stop_in
        daemon._intake.sweep()
        daemon._publisher.publish_pending()
        daemon._housekeeping.tick()
        for components in self.settings.lanes.values():
            for _ in range(runs):
                record = daemon._journal.next_due(components)
                if record is None or daemon._stopping.is_set():
                    break
                daemon._lanes._runner.run(record)

    def advance_days(self, days: float) -> None:
        """Let days pass with a running coordinator and blocked lanes; the kernel writes back everything meanwhile."""
        self.work(runs=0)
        self.clock.sleep(days * DAY_S)
        self.disk.settle()
        self.daemon._housekeeping.count()  # as the skipped passes would have
        self.work(runs=0)

    def lose_journal(self) -> bool:
        """Delete the journal; whether there was one."""
        parts = [path for path in self.state.glob(f"{app.JOURNAL}*") if ".damaged" not in path.name]
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
