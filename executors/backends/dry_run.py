"""Scripts that are only named, never run: to try a configuration, or the whole coordinator, without effects."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from executors.interface import Executor, ExecutorSettings, Outcome, ProcessId, RunObserver, ScriptRun, VetFailure
from executors.vetting import vet
from protocol.clock import Clock
from protocol.types import ExitKind, ProbeResult


def create(settings: ExecutorSettings, clock: Clock) -> Executor:
    """The executor that starts nothing."""
    del settings, clock  # it keeps nothing and waits for nothing
    return DryRunExecutor()


class DryRunExecutor:
    """Vets like the real one; every run succeeds at once and says what would have been run."""

    def vet(self, directory: Path, script: str) -> VetFailure | None:
        """See ``Executor.vet``."""
        return vet(directory, script, os.geteuid())

    def start(self, step: ScriptRun) -> None:
        """Start nothing."""

    def wait(self, step: ScriptRun, watch: RunObserver, *, deadline: float) -> Outcome | None:
        """Exit 0, with the command line as output."""
        del watch, deadline  # there is no process to tell of
        return self.collect(step)

    def probe(self, step: ScriptRun, identity: ProcessId | None, boot: str) -> ProbeResult:
        """Nothing was ever started."""
        del step, identity, boot
        return ProbeResult.NEVER_STARTED

    def collect(self, step: ScriptRun) -> Outcome:
        """As ``wait``."""
        words = shlex.join((str(step.directory / step.script), *step.arguments))
        return Outcome(ExitKind.EXITED, 0, f"dry run: would run {words}\n", "")

    def kill_orphans(self) -> None:
        """Nothing ever runs."""

    def cleanup(self, request_id: str) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is held."""
