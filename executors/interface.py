"""The interface between the runner and the executors: script run, observer, outcome, executor, errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from protocol.types import Action, ExitKind, ProbeResult, Reason


class ExecutorError(Exception):
    """Root of the package's errors."""


class CannotStartError(ExecutorError):
    """Nothing was started and nothing will be: the host lacks a resource, or the attempt is not new."""


class UnknownExecutorError(ExecutorError):
    """The configuration names an executor that does not exist; an error of the configuration."""


class UnsuitableHostError(ExecutorError):
    """The configuration names an executor that this host does not support; an error of the configuration."""


@dataclass(frozen=True)
class ExecutorSettings:
    """Where runs keep their files, and how much of each stream an outcome quotes.

    Attributes:
        runs: an absolute path without line breaks, on persistent storage; each coordinator of a host has its own.
        output_bytes: at least 2; the limit per stream (I12).
    """

    runs: Path
    output_bytes: int


@dataclass(frozen=True)
class ScriptRun:
    """One script to run once, for one attempt of one request.

    Attributes:
        lane: the lock under which the script runs. Runs of a lane never overlap (I10), so an executor may keep one
            process per lane.
        directory: where the script is and runs; from the configuration, as ``script`` is (I6).
        arguments: at most a validated version (I6).
        timeout_s: how long the script may run; a backup for the deadline that ``Executor.wait`` gets.
        kill_grace_s: between TERM and KILL.
        memory_bytes: the limit for the script and all that it starts, where the executor can enforce one.
    """

    request_id: str
    attempt: int
    lane: str
    component: str
    action: Action
    directory: Path
    script: str
    arguments: tuple[str, ...]
    version: str
    rollback_of: str
    timeout_s: float
    kill_grace_s: float
    memory_bytes: int

    def environment(self) -> Mapping[str, str]:
        """The variables that describe the request to the script (wire contract)."""
        return {
            "UPDATE_REQUEST_ID": self.request_id,
            "UPDATE_COMPONENT": self.component,
            "UPDATE_ACTION": self.action.value,
            "UPDATE_VERSION": self.version,
            "UPDATE_ROLLBACK_OF": self.rollback_of,
        }


@dataclass(frozen=True)
class ProcessId:
    """Identifies a process permanently: its pid and its start in clock ticks since boot, both within ``boot_id``."""

    boot_id: str
    pid: int
    start_ticks: int


@dataclass(frozen=True)
class Outcome:
    """The result of a run that is over; after a timeout or an interruption nothing that it started is alive.

    Attributes:
        exit_code: 0 to 255, 128 + n when signal n ended the script; None when it could not be recorded.
        output: a bounded excerpt of stdout.
        error: a bounded excerpt of stderr.
        detail: what else is known about the end, for people; "" when there is nothing to add.
    """

    exit_kind: ExitKind
    exit_code: int | None
    output: str
    error: str
    detail: str = ""


@dataclass(frozen=True)
class ProgressReport:
    """What a script has printed so far; the defaults mean nothing yet.

    Attributes:
        phase: the latest that the script named.
        percent: the latest that the script named, 0 to 100.
        output: the bounded end of stdout.
        error: the bounded end of stderr.
    """

    phase: str | None = None
    percent: int | None = None
    output: str = ""
    error: str = ""


@dataclass(frozen=True)
class VetFailure:
    """Why a script must not be run.

    Attributes:
        reason: ``script_missing``, ``script_unsafe``, or ``cannot_start`` when the script could not be examined.
        message: what was found, and the remedy.
    """

    reason: Reason
    message: str


class RunObserver(Protocol):
    """Observes one run, and decides when its wait ends early."""

    def started(self, identity: ProcessId) -> None:
        """The process that runs the script exists; called at most once per run, before ``reported``."""

    def reported(self, report: ProgressReport) -> None:
        """The present progress; called several times a second, whether or not it changed."""

    def must_stop(self) -> bool:
        """Whether this run is to be interrupted now."""

    def may_detach(self) -> bool:
        """Whether the coordinator is stopping, so that it need not wait for a run that survives it."""


class Executor(Protocol):
    """Runs scripts. Each backend implements it, and all pass the same contract tests.

    Methods for different runs may be called from different threads; calls for one lane come from one thread.
    """

    def vet(self, directory: Path, script: str) -> VetFailure | None:
        """Why this script must not run now; None when it may."""

    def start(self, run: ScriptRun) -> None:
        """Start the script, at most once for this attempt, even if a process dies meanwhile (I3).

        Raises:
            CannotStartError: nothing was started and nothing will be.
        """

    def wait(self, run: ScriptRun, observer: RunObserver, *, deadline: float) -> Outcome | None:
        """Wait until a run is over that was started here, or that ``probe`` found alive.

        Args:
            run: as given to ``start``, by this coordinator or an earlier one.
            observer: is notified of the process and of its progress, and asked whether to stop.
            deadline: in seconds on the monotonic clock; afterwards everything the script started gets TERM, then KILL.

        Returns:
            None when the run continues without this coordinator, for the next one to adopt.

        Raises:
            OSError: the run's files or processes cannot be read now; the script may be running. See ``abandon``.
        """

    def probe(self, run: ScriptRun, identity: ProcessId | None, boot_id: str) -> ProbeResult:
        """What became of an attempt that an earlier coordinator began in boot ``boot_id``.

        After NEVER_STARTED the attempt can never start. After UNKNOWN nothing that it started is alive.

        Raises:
            OSError: the run's files or processes cannot be read now.
        """

    def collect(self, run: ScriptRun) -> Outcome:
        """The outcome of a run that ``probe`` found ENDED or UNKNOWN.

        Raises:
            OSError: the run's files cannot be read now.
        """

    def abandon(self, run: ScriptRun) -> list[int]:
        """End what the run started, as far as possible, before its request is settled as ``internal_error``.

        Afterwards the attempt can never start. A script that ended on its own is left as it is, with the services
        that it started. May be called at any time, and repeatedly.

        Returns:
            The pids that KILL does not end. They are blocked in the kernel and run no more code of their own.

        Raises:
            OSError: it is not known whether the script runs; the processes that were found are ended nevertheless.
        """

    def kill_orphans(self) -> list[int]:
        """End all that an earlier coordinator started and that still runs: for a start without a journal (I10, I13).

        Called before anything is started here, by the only coordinator of this ``ExecutorSettings.runs``.

        Returns:
            The pids that KILL does not end, as of ``abandon``.

        Raises:
            OSError: the files of at least one run cannot be read or written, so that its script may still run. All
                others are ended; nothing may be started (I10).
        """

    def cleanup(self, request_id: str) -> None:
        """Remove the files of a settled request, except complete logs of which the journal holds only excerpts.

        Raises:
            OSError: a file cannot be removed; all others are.
        """

    def close(self) -> None:
        """Release what is held between runs. Running scripts are left alone; the executor can be used again."""
