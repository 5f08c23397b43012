"""One host in one thread: journal, spool, intake, runner, publisher, recovery and rebuild are the real ones.

``coordinator.app.build`` wires them. Only time and scripts are make-believe, and ``work`` takes the place of threads
and watcher.
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
from property_tests.crash_injector import Fuse, KilledError
from property_tests.durability_tracker import Disk
from property_tests.fake_executor import FakeExecutor
from property_tests.invariant_observer import Witness
from property_tests.world import HandClock, World
from protocol import outbox
from protocol.inbox import Inbox
from protocol.names import SUFFIX

RAM = "/dev/shm"  # noqa: S108  only a faster disk
COMPONENTS = ("core", "scheduler", "remote")
NO_ROLLBACK, RERUN, CAREFUL = COMPONENTS
DAY_S = 86400.0


class NoBell:
    """Nobody sleeps in one thread, so nobody is rung."""

    signal_fd = -1

    def notify(self) -> None:
        """Nothing."""


class NoWatcher:
    """Passes are called for by hand."""

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

    def ask(self, request_id: str, action: str, component: str, version: str | None = "1.0.0") -> None:
        """A well-formed request."""
        self.place(f"{request_id}{SUFFIX}", request(request_id, component, action, version))

    def names(self) -> set[str]:
        """What lies in ``requests/`` for the coordinator to answer."""
        return {path.name for path in self.requests.iterdir() if path.name.endswith(SUFFIX)}

    def final(self, request_id: str) -> Path:
        """Where an answer appears."""
        return self.status / f"{request_id}{SUFFIX}"


class LittleHost:
    """The machine, its disk and its one coordinator; ``close`` ends it all."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._stack = ExitStack()
        root = Path(self._stack.enter_context(tempfile.TemporaryDirectory(dir=RAM if Path(RAM).is_dir() else None)))
        self.state = root / "state"
        self.clock, self.fuse = HandClock(), Fuse()
        self.world = World(self.state / "runs", self.clock, self.fuse)
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
        self.disk = Disk(self.spool.requests, self.spool.status, self.fuse)
        self.witness = Witness(self.settings, self.journal_file, self.clock)
        self.fuse.watchers.append(self.witness.sees)
        self.world.on_start = self.witness.sees_start
        self.is_full = False  # no room for statuses
        self.daemon = self._resources = None
        self._known: set[str] = set()
        self._put_fakes_in_place()

    def _put_fakes_in_place(self) -> None:
        kind = SimpleNamespace(create=lambda _settings, _clock: FakeExecutor(self.world))
        for patched in (
            patch.object(executors.registry, "load", lambda _name: kind),
            patch.object(app, "boot_id", lambda: self.world.boot_id),
            patch.object(app, "Watcher", NoWatcher),
            patch.object(app, "Wakeup", NoBell),
            patch.object(lanes, "Wakeup", NoBell),
            patch.object(outbox, "write_atomic", self._with_room(outbox.write_atomic)),
            self.fuse.everywhere(),
            self.disk.everywhere(),
        ):
            self._stack.enter_context(patched)
        logger.disable("coordinator")
        self._stack.callback(logger.enable, "coordinator")

    def _with_room(self, original: Callable[..., None]) -> Callable[..., None]:
        def write_atomic(path: Path, *arguments: object, **options: object) -> None:
            if self.is_full and path.name.endswith(SUFFIX):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            original(path, *arguments, **options)

        return write_atomic

    def live(self, work: Callable[[], None], kill: int | str | None = None, cut: int | None = None) -> list[str]:
        """Do ``work`` until the fuse burns down; then nothing in memory is left.

        Args:
            work: what the coordinator does.
            kill: see ``Fuse.armed``.
            cut: None when only the coordinator dies; else power fails with it, see ``Disk.cut``.

        Returns:
            The names of requests that a power cut brought back.
        """
        try:
            with self.fuse.armed(kill):
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
        """The coordinator starts."""
        self._resources = ExitStack()
        return self.live(self._build, kill, cut)

    def _build(self) -> None:
        self.daemon = daemon = app.build(self.settings, self.clock, self._resources)
        daemon._abandon_unconfigured()
        self.world.on_stop = lambda: (daemon._stopping.set(), daemon._must_stop.set())

    def down(self, cut: int | None = None) -> list[str]:
        """The coordinator is gone; with ``cut``, so is the power."""
        with suppress(JournalDamagedError):
            self._known = self.known()
        self.daemon, self.world.stop_in = None, None
        self.witness.close()
        back = []
        if cut is not None:
            back = self.disk.cut(cut)
            self.world.reboot()
        if self._resources:
            self._resources.close()
        self.disk.close()
        return back

    def known(self) -> set[str]:
        """The ids in the journal; as its last coordinator left it, when none is up."""
        return (
            {row[0] for row in self.daemon._journal.database.read("SELECT id FROM requests")}
            if self.daemon
            else self._known
        )

    def work(self, runs: int = 50, stop_in: int | None = None) -> None:
        """One pass of the main loop, then each lane takes up to ``runs`` requests."""
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

    def let_days_pass(self, days: float) -> None:
        """The coordinator is up, and no lane gets on; in so long a time the kernel writes back everything."""
        self.work(runs=0)
        self.clock.sleep(days * DAY_S)
        self.disk.settle()
        self.daemon._housekeeping.count()  # as the passes on the way did: what the next one does is done now
        self.work(runs=0)

    def lose_journal(self) -> bool:
        """Somebody deletes the journal; whether there was one."""
        parts = [path for path in self.state.glob(f"{app.JOURNAL}*") if ".damaged" not in path.name]
        for path in parts:
            path.unlink()
        return bool(parts)

    def close(self) -> None:
        """End everything."""
        if self._resources:
            self.down()
        self._stack.close()


def request(request_id: object, component: object, action: str, version: str | None, **more: object) -> bytes:
    """The content of a request file."""
    fields = {"component": component, "action": action, "version": version, "request_id": request_id}
    return json.dumps(fields | {"timestamp": "2026-01-16T10:30:00Z"} | more).encode()
