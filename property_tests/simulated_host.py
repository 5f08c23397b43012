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
from typing import TYPE_CHECKING

from loguru import logger

from coordinator.app import build
from coordinator.settings import Component, Limits, Paths, Settings
from coordinator.state_folder import JOURNAL
from fsm.errors import JournalDamagedError
from fsm.journal import Journal
from property_tests.crash_injector import Fuse, KilledError
from property_tests.durability_tracker import Disk
from property_tests.fake_executor import FakeExecutor
from property_tests.invariant_observer import Witness
from property_tests.world import HandClock, World
from protocol.inbox import Inbox
from protocol.messages import FinalStatus, Progress
from protocol.names import SUFFIX
from protocol.outbox import Outbox

if TYPE_CHECKING:
    from loguru import Message

RAM = "/dev/shm"  # noqa: S108  only a faster disk
COMPONENTS = ("core", "scheduler", "remote")
NO_ROLLBACK, RERUN, CAREFUL = COMPONENTS
DAY_S = 86400.0


class NoWakeup:
    """One thread does not sleep, so it is not woken."""

    signal_fd = -1

    def notify(self) -> None:
        """Nothing."""


class NoWatcher:
    """Always watches a directory that is always there: the test calls for each pass."""

    is_watching = True

    def renew(self) -> bool:
        """See ``Watcher.renew``."""
        return True


class FullOutbox(Outbox):
    """``status/`` on a disk that may have no room."""

    is_full = False

    def _write(self, name: str, message: FinalStatus | Progress, *, durable: bool) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.directory / name))
        super()._write(name, message, durable=durable)


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
        self.journal_file = self.state / JOURNAL
        self.disk = Disk(self.spool.requests, self.spool.status, self.fuse)
        self.witness = Witness(self.settings, self.journal_file, self.clock)
        self.fuse.watchers.append(self.witness.sees)
        self.world.on_start = lambda run: self.fuse.check(lambda: self.witness.sees_start(run))
        self.outbox = FullOutbox(self.spool.status)
        self.unexpected: list[str] = []  # errors that a guard of the coordinator caught: defects, here
        self.daemon = self._resources = None
        self._known: set[str] = set()
        self._prepare()

    def _prepare(self) -> None:
        for injected in (self.fuse.everywhere(), self.disk.everywhere()):
            self._stack.enter_context(injected)
        logger.remove()
        sink = logger.add(self._on_log, level="ERROR", format="{message}\n{exception}")
        self._stack.callback(logger.remove, sink)

    def _on_log(self, message: Message) -> None:
        if message.record["exception"] is not None:
            self.unexpected.append(str(message))

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
            back = self.down(cut)
            if self.fuse.violation is not None:
                raise self.fuse.violation from None
            assert not self.unexpected, self.unexpected[0]
            return back
        except JournalDamagedError as error:
            if self.daemon:
                self.daemon._runtime.fail(error)
            self.down()
        else:
            if self.daemon._runtime.stops.is_stopping:
                self.down()
        if self.fuse.violation is not None:
            raise self.fuse.violation
        assert not self.unexpected, self.unexpected[0]
        return []

    def up(self, kill: int | str | None = None, cut: int | None = None) -> list[str]:
        """The coordinator starts."""
        self._resources = ExitStack()
        return self.live(self._build, kill, cut)

    def _build(self) -> None:
        self.daemon = daemon = build(
            self.settings,
            self._resources,
            clock=self.clock,
            executor=FakeExecutor(self.world),
            outbox=self.outbox,
            watcher=NoWatcher(),
            make_wakeup=NoWakeup,
            boot_id=self.world.boot_id,
        )
        stops = daemon._runtime.stops
        self.world.on_stop = lambda: (stops.stop(), stops.interrupt_all())

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

    @property
    def journal(self) -> Journal:
        """The journal of the coordinator that is up."""
        return self.daemon._housekeeping._journal

    def known(self) -> set[str]:
        """The ids in the journal; as its last coordinator left it, when none is up."""
        return {row[0] for row in self.journal.database.read("SELECT id FROM requests")} if self.daemon else self._known

    def work(self, runs: int = 50, stop_in: int | None = None) -> None:
        """One pass of the main loop, then each lane takes up to ``runs`` requests."""
        self.world.stop_in = stop_in
        self.daemon.run_once()
        for lock in self.settings.lanes:
            for _ in range(runs):
                if self.daemon._runtime.stops.is_stopping or self.daemon.lanes.run_next(lock) != 0:
                    break

    def let_days_pass(self, days: float) -> None:
        """The coordinator is up, and no lane gets on; in so long a time the kernel writes back everything."""
        self.work(runs=0)
        self.clock.sleep(days * DAY_S)
        self.disk.settle()
        self.daemon._runtime.running_time.record()  # as the passes on the way did: what the next one does is done now
        self.work(runs=0)

    def lose_journal(self) -> bool:
        """Somebody deletes the journal; whether there was one."""
        parts = [path for path in self.state.glob(f"{JOURNAL}*") if ".damaged" not in path.name]
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
