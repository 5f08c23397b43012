"""The executor of scripts that outlive the coordinator; its backends differ in how they spawn workers."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Protocol

from executors.interface import (
    CannotStartError,
    ExecutorSettings,
    Outcome,
    ProcessId,
    RunObserver,
    ScriptRun,
    VetFailure,
)
from executors.output import ProgressReader
from executors.processes import boot_id, is_alive
from executors.run_directory import Claim, RunDirectory, list_runs, remove_runs
from executors.termination import end_run, end_shells, find_shells, shells_of_request, shells_of_worker
from executors.vetting import vet
from protocol.clock import Clock
from protocol.types import ExitKind, ProbeResult

_TICK_S = 0.1  # the delay with which a deadline or a request to stop may be noticed
_ORPHAN_GRACE_S = 10.0


class RunHandle(Protocol):
    """The connection of this coordinator to one run that it waits for."""

    def claimed(self, claim: Claim) -> None:
        """A worker has claimed the run; called at most once."""

    def is_lost(self) -> bool:
        """Whether no worker is left that could claim the run."""

    def survives_coordinator(self) -> bool:
        """Whether the run continues when this coordinator stops."""

    def pause(self, seconds: float) -> None:
        """Sleep until the worker notifies of something, at most ``seconds``."""

    def discard(self) -> None:
        """Release the run's shells: they were killed, or are lost."""

    def close(self) -> None:
        """Release what is held for this wait alone."""


class Spawner(Protocol):
    """Spawns workers."""

    def spawn(self, directory: RunDirectory) -> None:
        """Have a worker run what ``directory`` contains; at most once, even when this raises.

        Raises:
            CannotStartError: the worker may exist nevertheless; the caller revokes the run, or finds it claimed.
            OSError: likewise.
        """

    def attach(self, directory: RunDirectory) -> RunHandle:
        """The handle of a run that was spawned here, or by an earlier coordinator."""

    def close(self) -> None:
        """Release what is held between runs."""


class ScriptExecutor:
    """Keeps all that it must know after a restart in the runs' directories; see ``Executor`` for the methods."""

    def __init__(self, settings: ExecutorSettings, clock: Clock, spawner: Spawner) -> None:
        self._settings = settings
        self._clock = clock
        self._spawner = spawner
        self._runs_folder = settings.runs.resolve()

    def vet(self, directory: Path, script: str) -> VetFailure | None:
        """See ``Executor.vet``."""
        return vet(directory, script, os.geteuid())

    def start(self, run: ScriptRun) -> None:
        """See ``Executor.start``; a second start of the same attempt raises."""
        directory = self._directory(run)
        try:
            directory.prepare()
        except FileExistsError:
            raise CannotStartError(
                f"cannot start {run.script}: {directory.path} shows that this attempt was made; make a new one"
            ) from None
        except OSError as error:
            raise CannotStartError(_cannot_start(run, error)) from error
        try:
            self._spawner.spawn(directory)
        except (CannotStartError, OSError) as error:
            with contextlib.suppress(OSError):  # not known whether it started: ``wait`` finds out
                if directory.revoke():
                    raise CannotStartError(_cannot_start(run, error)) from error

    def wait(self, run: ScriptRun, observer: RunObserver, *, deadline: float) -> Outcome | None:
        """See ``Executor.wait``."""
        directory = self._directory(run)
        with contextlib.closing(self._spawner.attach(directory)) as handle:
            return self._wait(directory, handle, observer, deadline)

    def _wait(
        self, directory: RunDirectory, handle: RunHandle, observer: RunObserver, deadline: float
    ) -> Outcome | None:
        reader = ProgressReader(directory.stdout, directory.stderr)
        claim = None
        ended_by = directory.ended_by()  # an earlier coordinator had begun to end it
        while True:  # bounded by the deadline, which is a reason to end the run
            claim = claim or _announce_claim(directory, handle, observer)
            # Checked before the exit code: a worker that wrote one and ended since is not lost.
            is_lost = not is_alive(claim.worker) if claim else handle.is_lost()
            if ended_by is None and directory.exit_code() is not None:
                claim = claim or _announce_claim(directory, handle, observer)  # claimed and ended since the check above
                while _report(reader, observer) and self._clock.monotonic() < deadline:
                    pass  # bounded by the deadline: a service left behind may write forever
                ended_by = directory.ended_by()
                if ended_by is None:
                    return directory.outcome(ExitKind.EXITED, self._settings.output_bytes)
                # systemd is ending it, and some of its processes may be alive: no other script may start yet (I10).
            if ended_by is None and observer.may_detach() and handle.survives_coordinator():
                return None
            cause = ended_by or self._cause_to_end(observer, deadline)
            if cause is not None or is_lost:
                outcome = self._end(directory, cause)
                handle.discard()  # only now: a launcher without its pipe ends, and orphans lose their subreaper
                return outcome
            has_more = _report(reader, observer)
            handle.pause(0.0 if has_more else min(_TICK_S, max(deadline - self._clock.monotonic(), 0.0)))

    def _cause_to_end(self, observer: RunObserver, deadline: float) -> ExitKind | None:
        if observer.must_stop():
            return ExitKind.INTERRUPTED
        return ExitKind.TIMED_OUT if self._clock.monotonic() >= deadline else None

    def _end(self, directory: RunDirectory, cause: ExitKind | None) -> Outcome:
        """End what is left of a run: for a ``cause``, or because its worker was lost."""
        if directory.claim() is None and directory.revoke():
            return Outcome(cause or ExitKind.NOT_STARTED, None, "", "", "it had not started yet, and never will")
        if cause is not None:
            directory.record_ended_by(cause)
        stuck = self._kill(directory)
        details = []
        if cause is None and directory.exit_code() is not None:
            exit_kind = directory.ended_by() or ExitKind.EXITED
        elif cause is None:
            exit_kind = directory.ended_by() or ExitKind.INTERRUPTED
            details.append("its shell ended, or was killed from outside, before it could record the exit code")
        else:
            exit_kind = cause
        if stuck:
            details.append(f"processes that survive KILL: {', '.join(map(str, stuck))}")
        return directory.outcome(exit_kind, self._settings.output_bytes, "; ".join(details))

    def _kill(self, directory: RunDirectory) -> list[int]:
        """End the run's processes; the power-cut sweep, whose runs have none, replaces it."""
        return end_run(directory, self._clock)

    def probe(self, run: ScriptRun, identity: ProcessId | None, boot: str) -> ProbeResult:
        """See ``Executor.probe``."""
        directory = self._directory(run)
        is_same_boot = boot == boot_id()
        if directory.exit_code() is None and not is_same_boot:
            return ProbeResult.UNKNOWN  # a power cut may have taken any of the files
        if directory.exit_code() is None and directory.claim() is None and identity is not None:
            # It ran, and its directory has been removed.
            end_shells(shells_of_worker(self._runs_folder, identity), run.kill_grace_s, self._clock)
            return ProbeResult.UNKNOWN
        if directory.exit_code() is None and directory.revoke():
            return ProbeResult.NEVER_STARTED
        claim = directory.claim() if is_same_boot else None
        has_worker = claim is not None and identity in (None, claim.worker) and is_alive(claim.worker)
        if directory.exit_code() is None and has_worker:
            return ProbeResult.ALIVE
        is_ended = directory.exit_code() is not None
        if is_same_boot and (directory.ended_by() or not is_ended):
            self._kill(directory)
        return ProbeResult.ENDED if is_ended else ProbeResult.UNKNOWN

    def collect(self, run: ScriptRun) -> Outcome:
        """See ``Executor.collect``."""
        directory = self._directory(run)
        limit = self._settings.output_bytes
        if directory.exit_code() is not None:
            return directory.outcome(directory.ended_by() or ExitKind.EXITED, limit)
        detail = "it ended, with everything it started, before its exit code could be recorded"
        return directory.outcome(directory.ended_by() or ExitKind.INTERRUPTED, limit, detail)

    def abandon(self, run: ScriptRun) -> list[int]:
        """See ``Executor.abandon``."""
        directory = self._directory(run)
        with contextlib.closing(self._spawner.attach(directory)) as handle:
            try:
                is_over = directory.exit_code() is not None and directory.ended_by() is None
                return [] if is_over else self._end_orphan(directory)
            except OSError:  # the files do not show which processes belong to the run; the script's environment does
                end_shells(shells_of_request(self._runs_folder, run.request_id), run.kill_grace_s, self._clock)
                raise
            finally:
                handle.discard()

    def kill_orphans(self) -> list[int]:
        """See ``Executor.kill_orphans``; run directories also reveal scripts whose shells were killed."""
        stuck = end_shells(find_shells(self._runs_folder), _ORPHAN_GRACE_S, self._clock)
        paths, errors = list_runs(self._settings.runs)
        for path in paths:
            directory = RunDirectory.of_orphan(path, _ORPHAN_GRACE_S)
            try:
                stuck += [] if directory.exit_code() is not None else self._end_orphan(directory)
            except OSError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return stuck

    def _end_orphan(self, directory: RunDirectory) -> list[int]:
        """End a run that may have been claimed; a run that was not claimed can never start afterwards."""
        if directory.revoke():
            return []
        directory.record_ended_by(ExitKind.INTERRUPTED)
        return self._kill(directory)

    def cleanup(self, request_id: str) -> None:
        """See ``Executor.cleanup``; a stream too large for its excerpt is kept."""
        remove_runs(self._settings.runs, request_id, self._settings.output_bytes)

    def close(self) -> None:
        """See ``Executor.close``."""
        self._spawner.close()

    def _directory(self, run: ScriptRun) -> RunDirectory:
        return RunDirectory(self._settings.runs, run)


def _announce_claim(directory: RunDirectory, handle: RunHandle, observer: RunObserver) -> Claim | None:
    """The run's claim, passed on to handle and observer; None while there is none."""
    claim = directory.claim()
    if claim is not None:
        handle.claimed(claim)
        observer.started(claim.worker)
    return claim


def _report(reader: ProgressReader, observer: RunObserver) -> bool:
    """Read new output and report the progress; return whether there is more to read."""
    has_more = reader.read()
    observer.reported(reader.report())
    return has_more


def _cannot_start(run: ScriptRun, error: Exception) -> str:
    remedy = "; free disk space, memory or descriptors, and try again" if isinstance(error, OSError) else ""
    return f"cannot start {run.script}: {error}{remedy}"
