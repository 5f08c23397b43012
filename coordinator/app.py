"""Wires everything: the one place that knows which part gets which (style: dependencies arrive by constructor)."""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

import executors.registry
from coordinator import journal_rebuild
from coordinator.daemon import Daemon
from coordinator.errors import AlreadyRunningError, ConfigurationError, UnavailableError, from_os_error
from coordinator.housekeeping import Housekeeping
from coordinator.intake import Intake
from coordinator.lanes import Lanes
from coordinator.publisher import Publisher
from coordinator.runner import Runner
from coordinator.sd_notify import SdNotifier
from coordinator.settings import Settings
from coordinator.wakeup import Wakeup
from coordinator.watcher import Watcher
from executors.interface import Executor, ExecutorSettings, UnsuitableHostError
from executors.processes import boot_id
from executors.registry import Backend
from fsm.errors import JournalDamagedError
from fsm.journal import Journal
from fsm.machine import RequestMachine
from policy.engine import all_judges
from protocol.clock import Clock
from protocol.fs import exists, fsync_dir, fsync_parents, write_atomic
from protocol.inbox import Inbox
from protocol.modules import hollow_packages
from protocol.outbox import Outbox

JOURNAL = "journal.db"
LOCK = "coordinator.lock"
RUNS = "runs"
QUARANTINE = "quarantine"
SUSPECT = "journal.suspect"
REBUILDING = "journal.rebuilding"
_BEGUN = b"begun\n"


@dataclass
class Stop:
    """How far a stop has gone: no new scripts; then, when patience ends, no running ones either."""

    stopping: threading.Event
    must_stop: threading.Event


def build(settings: Settings, clock: Clock, resources: ExitStack, executor_name: str | None = None) -> Daemon:
    """Make a coordinator out of its settings; ``resources`` closes it again, in reverse order.

    Raises:
        AlreadyRunningError: another one holds the state folder.
        ConfigurationError: a folder cannot be made, or judges are missing; only the operator can help.
        UnavailableError: a folder cannot be made, or the program itself be read, this time.
        JournalError: the journal can be neither opened nor replaced.
    """
    kind = _parts(executor_name or settings.execution.executor)
    state = settings.paths.state
    _make_folders(settings)
    resources.enter_context(_instance_lock(state / LOCK))
    inbox = Inbox(settings.paths.requests, settings.limits.request_bytes)
    outbox = Outbox(settings.paths.status)
    has_runs = exists(state / RUNS)
    journal, lost = _open_journal(state, outbox)
    resources.callback(journal.close)
    lives = RequestMachine(journal)
    executor = _executor(kind, ExecutorSettings(state / RUNS, settings.limits.output_bytes), clock)
    resources.callback(executor.close)
    components = frozenset(settings.components)
    if lost or not has_runs:  # even where nothing tells of an earlier coordinator, its script may still run (I10)
        executor.kill_orphans()
    if lost:
        journal_rebuild.rebuild(journal, lives, inbox, outbox, clock, components, state / RUNS)
        (state / REBUILDING).unlink()
        fsync_dir(state)  # the mark must not come back and condemn what this journal holds by then
    outbox.remove_stale(journal.active_ids)
    outbox.write_marker()

    manager = SdNotifier.of(os.environ, os.getpid())
    stop = Stop(threading.Event(), threading.Event())
    bell = Wakeup()
    publisher = Publisher(outbox, inbox, journal, clock, settings.limits.output_bytes, bell.notify)
    runner = Runner(
        settings,
        journal,
        lives,
        executor,
        publisher,
        clock,
        boot_id=boot_id(),
        must_stop=stop.must_stop.is_set,
        stopping=stop.stopping.is_set,
        late=bell.notify,
    )
    errors: list[BaseException] = []

    def fatal(error: BaseException) -> None:
        errors.append(error)
        mark_journal_suspect(settings)
        bell.notify()

    lanes = Lanes(settings.lanes, journal, runner, manager, stop.stopping, fatal)
    intake = Intake(
        inbox,
        journal,
        lives,
        publisher,
        clock,
        components=components,
        quarantine=state / QUARANTINE,
        settle_s=settings.limits.settle_s,
        admitted=lanes.wake,
        alive=manager.watchdog,
    )
    housekeeping = Housekeeping(
        journal,
        outbox,
        executor,
        clock,
        runs=state / RUNS,
        status_retention_days=settings.limits.status_retention_days,
        history_days=settings.limits.history_days,
        logs_bytes=settings.limits.logs_bytes,
    )
    return Daemon(
        bell=bell,
        watcher=Watcher(settings.paths.requests, bell.notify),
        intake=intake,
        publisher=publisher,
        lanes=lanes,
        housekeeping=housekeeping,
        manager=manager,
        journal=journal,
        lives=lives,
        components=components,
        clock=clock,
        stopping=stop.stopping,
        must_stop=stop.must_stop,
        stop_timeout_s=settings.execution.stop_timeout_s,
        errors=errors,
        fatal=fatal,
    )


def mark_journal_suspect(settings: Settings) -> None:
    """Have the next start read the whole journal, and replace it if it is not sound."""
    (settings.paths.state / SUSPECT).touch()


def _parts(executor: str) -> Backend:
    """The executor's module; every judge is loaded, too, for a start that cannot read them must let nothing in (I6)."""
    try:
        all_judges()
        kind = executors.registry.load(executor)
        hollow = hollow_packages()
    except OSError as error:
        place = error.filename or "the program"  # a read has no name, only an open has
        raise from_os_error(f"cannot read {place}: {error.strerror}", error) from None
    if hollow:
        raise UnavailableError(f"cannot start: only a part of {', '.join(hollow)} could be read; start again")
    return kind


def _executor(kind: Backend, settings: ExecutorSettings, clock: Clock) -> Executor:
    try:
        return kind.create(settings, clock)
    except UnsuitableHostError as error:
        raise ConfigurationError(str(error)) from None


def _make_folders(settings: Settings) -> None:
    for folder, mode in (
        (settings.paths.requests, 0o755),
        (settings.paths.status, 0o755),
        (settings.paths.state, 0o700),
    ):
        try:
            folder.mkdir(mode=mode, parents=True, exist_ok=True)
        except OSError as error:
            advice = "create it, or change paths in the configuration"
            raise from_os_error(f"cannot make the folder {folder}: {error.strerror}; {advice}", error) from None
    # Each time: whoever made them may have died before this.
    fsync_parents(settings.paths.requests, settings.paths.status, settings.paths.state)


def _instance_lock(path: Path) -> ExitStack:
    """Hold the state folder: two coordinators would run two scripts of one lock at once (I10)."""
    stack = ExitStack()
    file = stack.enter_context(os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stack.close()
        raise AlreadyRunningError(
            f"cannot start: another coordinator holds {path}; stop it first, or give this one a paths.state of its own"
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return stack


def _open_journal(state: Path, outbox: Outbox) -> tuple[Journal, bool]:
    """Open the journal; tell whether it is a new one in the place of one that was lost (I13).

    The whole file is checked only after a run that met damage: a check costs time that grows with the history. Only
    what is found damaged then, a second time, is given up.
    """
    path, suspect, rebuilding = state / JOURNAL, state / SUSPECT, state / REBUILDING
    lost = exists(rebuilding) or (not exists(path) and (outbox.has_marker() or exists(state / RUNS)))
    if not lost:
        try:
            return _sound_journal(path, suspect), False
        except JournalDamagedError as error:
            if not exists(suspect):
                raise  # once is no proof: SQLite says the same of one read that failed; serve looks a second time
            logger.critical("the journal is damaged: {}", error)
    if exists(rebuilding) and rebuilding.read_bytes() == _BEGUN:
        journal_rebuild.discard(path)  # ours and half-filled: keeping one per start would not help a disk that is full
    else:
        write_atomic(rebuilding, b"")  # a death before the new one is filled must not make old requests new
        if exists(path):
            logger.critical("the old journal was moved to {}; building a new one", journal_rebuild.set_aside(path))
        write_atomic(rebuilding, _BEGUN)
    suspect.unlink(missing_ok=True)
    return Journal.open(path), True


def _sound_journal(path: Path, suspect: Path) -> Journal:
    journal = Journal.open(path)
    try:
        if exists(suspect):
            journal.require_integrity()
            suspect.unlink()
    except JournalDamagedError:
        journal.close()
        raise
    return journal
