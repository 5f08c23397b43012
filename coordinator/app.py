"""Wires the coordinator: the only place that knows which part gets which.

Every part that touches the world outside, every shared one and the rules can be replaced by keyword.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from loguru import logger

from coordinator.daemon import Daemon
from coordinator.errors import AlreadyRunningError, ConfigurationError, from_os_error
from coordinator.housekeeping import Housekeeping
from coordinator.intake import Intake
from coordinator.journal_rebuild import JournalRebuild
from coordinator.lanes import Lanes
from coordinator.observers import ObserverGroup, RequestObserver
from coordinator.policy_gate import PolicyGate
from coordinator.publisher import Publisher
from coordinator.quarantine import Quarantine
from coordinator.runner import Runner
from coordinator.runtime import RunningTime, Runtime
from coordinator.sd_notify import SdNotifier
from coordinator.settings import Settings
from coordinator.state_folder import StateFolder
from coordinator.stop_control import StopControl
from coordinator.wakeup import Wakeup
from coordinator.watcher import Watcher
from executors import registry
from executors.interface import Executor, ExecutorSettings, UnsuitableHostError
from executors.processes import boot_id as present_boot_id
from fsm.errors import JournalDamagedError, JournalUnavailableError
from fsm.machine import RequestMachine
from fsm.records import TransitionFacts
from policy.engine import RuleSet
from policy.rules import RULES
from protocol.clock import Clock, SystemClock
from protocol.fs import exists, fsync_parents
from protocol.inbox import Inbox
from protocol.instance_lock import InstanceLock, InstanceLockedError
from protocol.names import printable
from protocol.outbox import Outbox
from protocol.types import Reason


def build(
    settings: Settings,
    resources: ExitStack,
    *,
    executor_name: str | None = None,
    clock: Clock | None = None,
    boot_id: str | None = None,
    state: StateFolder | None = None,
    inbox: Inbox | None = None,
    outbox: Outbox | None = None,
    executor: Executor | None = None,
    rules: RuleSet = RULES,
    observers: Sequence[RequestObserver] = (),
    stops: StopControl | None = None,
    watcher: Watcher | None = None,
    notifier: SdNotifier | None = None,
    make_wakeup: Callable[[], Wakeup] = Wakeup,
) -> Daemon:
    """Build a coordinator from its settings; ``resources`` closes its parts in reverse order.

    Args:
        settings: the configuration.
        resources: gets what must be closed.
        executor_name: replaces the configured backend.
        clock: by default the machine's own.
        boot_id: by default the kernel's.
        state: by default ``paths.state``; opens the journal.
        inbox: by default ``paths.requests``.
        outbox: by default ``paths.status``.
        executor: by default the backend of that name.
        rules: the policy.
        observers: are notified after the coordinator's own.
        stops: the stop flags.
        watcher: by default inotify on ``paths.requests``.
        notifier: by default systemd, as the environment says.
        make_wakeup: makes one wake-up for the main loop and one for each lane.

    Raises:
        AlreadyRunningError: another coordinator holds the state folder.
        ConfigurationError: a folder cannot be created, or the executor cannot be used; only the operator can help.
        UnavailableError: a folder cannot be created this time.
        JournalError: the journal can be neither opened nor replaced.
    """
    clock, boot_id = clock or SystemClock(), boot_id or present_boot_id()
    _make_folders(settings)
    state = state or StateFolder(settings.paths.state)
    resources.enter_context(_instance_lock(state))
    inbox = inbox or Inbox(settings.paths.requests, settings.limits.request_bytes)
    outbox = outbox or Outbox(settings.paths.status)
    has_runs = exists(state.runs)
    journal, lost = state.open_journal(has_worked_here=outbox.has_marker())
    resources.callback(journal.close)
    machine = RequestMachine(journal)
    executor = executor or _make_executor(executor_name or settings.execution.executor, settings, state, clock)
    resources.callback(executor.close)
    if lost or not has_runs:  # a script of an earlier coordinator may run even if no file shows it (I10)
        executor.kill_orphans()
    components = frozenset(settings.components)
    running_time = RunningTime(journal, clock)
    gate = PolicyGate(rules, components, clock, running_time)
    if lost:
        JournalRebuild(machine, inbox, outbox, gate, clock, state.runs).run()
        state.mark_rebuilt()
    for name, error in outbox.remove_stale(journal.open_ids).items():
        logger.warning("cannot remove {} from {}: {}", printable(name), settings.paths.status, error)
    outbox.write_marker()
    _settle_unconfigured(machine, components, clock)

    runtime = Runtime(
        clock=clock,
        boot_id=boot_id,
        running_time=running_time,
        stops=stops or StopControl(),
        notifier=notifier or SdNotifier.from_environment(os.environ, os.getpid()),
        wakeup=make_wakeup(),
        mark_suspect=state.mark_suspect,
    )
    group = ObserverGroup()
    publisher = Publisher(
        outbox,
        inbox,
        journal,
        clock,
        settings.limits.output_bytes,
        answered=group.answered,
        request_pass=runtime.wakeup.notify,
    )
    runner = Runner(settings, machine, executor, gate, group, runtime)
    lanes = Lanes(settings.lanes, machine, runner, runtime, make_wakeup)
    group.add(runtime.notifier, publisher, lanes, *observers)
    quarantine = Quarantine(state.quarantine, inbox)
    return Daemon(
        Intake(inbox, machine, gate, group, quarantine, runtime, settings.limits.settle_s),
        publisher,
        Housekeeping(journal, outbox, executor, runtime, settings.limits, state.runs),
        lanes,
        watcher or Watcher(settings.paths.requests, runtime.wakeup.notify),
        runtime,
        settings.execution.stop_timeout_s,
    )


def _make_executor(name: str, settings: Settings, state: StateFolder, clock: Clock) -> Executor:
    try:
        return registry.load(name).create(ExecutorSettings(state.runs, settings.limits.output_bytes), clock)
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
            raise from_os_error(f"cannot create the folder {folder}: {error.strerror}; {advice}", error) from None
    # At every start: the process that created them may have died before its fsync.
    fsync_parents(settings.paths.requests, settings.paths.status, settings.paths.state)


def _instance_lock(state: StateFolder) -> InstanceLock:
    """Hold the state folder: two coordinators would run two scripts of one lock at once (I10)."""
    try:
        return InstanceLock(state.lock)
    except InstanceLockedError:
        raise AlreadyRunningError(
            f"cannot start: another coordinator holds {state.lock}; stop it first, or set another paths.state for "
            "this one"
        ) from None


def _settle_unconfigured(machine: RequestMachine, components: frozenset[str], clock: Clock) -> None:
    """Settle the requests for components that are not configured any more: no lane would take them up (I9)."""
    for record in machine.journal.unconfigured(components):
        message = f"cannot continue: component {record.component} is no longer configured"
        facts = TransitionFacts(clock.utc(), Reason.UNKNOWN_COMPONENT, message, settles=True)
        try:
            machine.fail(record, facts)
        except (JournalDamagedError, JournalUnavailableError):
            raise
        except Exception as error:  # noqa: BLE001  one row must not keep the coordinator from starting (I16)
            logger.error("cannot settle request {}: {}", record.request_id, error)
