"""The words between the runner and whatever runs a step: step, trace, outcome, executor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from protocol.types import Action, ExitKind, ProbeResult, Reason


class ExecutorError(Exception):
    """Root of the package's errors."""


class CannotStartError(ExecutorError):
    """Nothing was started and nothing will be: the machine is short of something, or the attempt is not new."""


class UnknownExecutorError(ExecutorError):
    """The configuration names an executor that does not exist: its author's fault."""


class UnsuitableHostError(ExecutorError):
    """The configuration names an executor that this host cannot serve: its author's fault."""


@dataclass(frozen=True)
class ExecutorSettings:
    """Where runs leave their files, and how much of each stream an outcome quotes.

    ``runs`` is an absolute path without line breaks, on a disk that keeps what is written, and every coordinator of
    this host has its own; ``output_bytes`` (≥ 2) counts bytes per stream (I12).
    """

    runs: Path
    output_bytes: int


@dataclass(frozen=True)
class ScriptRun:
    """One script to run once, for one attempt of one request.

    ``lane`` names the lock under which it runs: an executor may keep one thing per lane, for steps of a lane never
    overlap (I10). ``directory`` and ``script`` come from the configuration, ``arguments`` holds nothing but a
    validated version (I6). ``memory_bytes`` is the most it may use, with all that it starts, where the executor can see
    to that.
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
        """What the script learns about the request it runs for (wire contract)."""
        return {
            "UPDATE_REQUEST_ID": self.request_id,
            "UPDATE_COMPONENT": self.component,
            "UPDATE_ACTION": self.action.value,
            "UPDATE_VERSION": self.version,
            "UPDATE_ROLLBACK_OF": self.rollback_of,
        }


@dataclass(frozen=True)
class ProcessId:
    """A process beyond doubt: its pid, and its start in clock ticks since boot; both within ``boot_id``."""

    boot_id: str
    pid: int
    start_ticks: int


@dataclass(frozen=True)
class Outcome:
    """A run that is over: nothing the script started under a timeout or interruption lives on.

    ``exit_code`` is None when nobody could record it; ``output`` and ``error`` are bounded excerpts of the streams.
    """

    exit_kind: ExitKind
    exit_code: int | None
    output: str
    error: str
    detail: str = ""


@dataclass(frozen=True)
class ProgressReport:
    """What a script has shown so far: as given here, nothing yet.

    ``phase`` and ``percent`` (0 to 100) are the latest that it named; ``output`` and ``error`` are bounded ends of the
    streams.
    """

    phase: str | None = None
    percent: int | None = None
    output: str = ""
    error: str = ""


@dataclass(frozen=True)
class VetFailure:
    """Why a script must not be run: reason (``script_missing`` or ``script_unsafe``), and what to do about it."""

    reason: Reason
    message: str


class RunObserver(Protocol):
    """Who looks on while a script runs."""

    def started(self, identity: ProcessId) -> None:
        """The session exists; called at most once per run, before ``reported``."""

    def reported(self, report: ProgressReport) -> None:
        """What the script shows now; called at every look, several times a second, whether or not it changed."""

    def must_stop(self) -> bool:
        """Whether the run is to be interrupted now."""

    def may_detach(self) -> bool:
        """Whether the coordinator is about to stop: a run that outlives it need not be waited for."""


class Executor(Protocol):
    """Runs steps. One implementation per way to do it; all pass the same contract tests."""

    def vet(self, directory: Path, script: str) -> VetFailure | None:
        """Why this script must not run as things stand now; None when it may."""

    def start(self, step: ScriptRun) -> None:
        """Bring the step's script to life, at most once for this attempt whatever dies meanwhile.

        Raises:
            CannotStartError: nothing was started and nothing will be.
        """

    def wait(self, step: ScriptRun, watch: RunObserver, *, deadline: float) -> Outcome | None:
        """Wait until the run is over: one started here, or one that ``probe`` found alive.

        Args:
            step: as given to ``start``, by this coordinator or an earlier one.
            watch: told of the session, its progress, and asked whether to stop.
            deadline: on the monotonic clock; beyond it everything the script started gets TERM, then KILL.

        Returns:
            None when this coordinator stops and the run goes on without it: the next one adopts it.
        """

    def probe(self, step: ScriptRun, identity: ProcessId | None, boot_id: str) -> ProbeResult:
        """What an attempt begun in boot ``boot_id`` by an earlier coordinator has become.

        After the answer NEVER_STARTED it can never start any more. After UNKNOWN nothing it started is alive.
        """

    def collect(self, step: ScriptRun) -> Outcome:
        """The outcome of a run that ``probe`` found ENDED or UNKNOWN."""

    def kill_orphans(self) -> None:
        """End whatever an earlier coordinator started and still runs: for a start without its files (I10, I13).

        Called before anything is started here; whoever holds the runs' folder is the only one to work in it.
        """

    def cleanup(self, request_id: str) -> None:
        """Drop what is kept of a settled request beyond what the journal holds; complete logs it lacks stay."""

    def close(self) -> None:
        """Let go of everything held between runs; scripts still running are left alone."""
