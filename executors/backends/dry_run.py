"""Dry run: reports the command line instead of running it, to try a configuration without effects."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from executors.interface import Executor, ExecutorSettings, Outcome, ProcessId, RunObserver, ScriptRun, VetFailure
from executors.vetting import vet
from protocol.clock import Clock
from protocol.types import ExitKind, ProbeResult


def create(settings: ExecutorSettings, clock: Clock) -> Executor:
    """Return the executor that starts nothing."""
    del settings, clock  # it keeps no files and never waits
    return DryRunExecutor()


class DryRunExecutor:
    """Vets scripts as the other executors do; every run succeeds at once. See ``Executor`` for the methods."""

    def vet(self, directory: Path, script: str) -> VetFailure | None:
        """See ``Executor.vet``."""
        return vet(directory, script, os.geteuid())

    def start(self, run: ScriptRun) -> None:
        """Start nothing."""

    def wait(self, run: ScriptRun, observer: RunObserver, *, deadline: float) -> Outcome | None:
        """Return exit code 0, with the command line as output."""
        del observer, deadline  # there is no process to observe
        return self.collect(run)

    def probe(self, run: ScriptRun, identity: ProcessId | None, boot_id: str) -> ProbeResult:
        """Nothing was ever started."""
        del run, identity, boot_id
        return ProbeResult.NEVER_STARTED

    def collect(self, run: ScriptRun) -> Outcome:
        """Return the same as ``wait``."""
        words = shlex.join((str(run.directory / run.script), *run.arguments))
        return Outcome(ExitKind.EXITED, 0, f"dry run: would run {words}\n", "")

    def abandon(self, run: ScriptRun) -> list[int]:
        """Nothing ever runs."""
        del run
        return []

    def kill_orphans(self) -> list[int]:
        """Nothing ever runs."""
        return []

    def cleanup(self, request_id: str) -> None:
        """No files are kept."""

    def close(self) -> None:
        """Nothing is held."""
