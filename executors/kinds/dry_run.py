"""Scripts that are only named, never run: to try a configuration, or the whole coordinator, without effects."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from executors.settings import ExecutorSettings
from executors.step import Conclusion, Executor, Identity, Objection, Outcome, Step, Trace, Watch
from executors.vetting import vet
from protocol.clock import Clock


def create(settings: ExecutorSettings, clock: Clock) -> Executor:
    """The executor that starts nothing."""
    del settings, clock  # it keeps nothing and waits for nothing
    return DryRunExecutor()


class DryRunExecutor:
    """Vets like the real one; every run succeeds at once and says what would have been run."""

    def vet(self, directory: Path, script: str) -> Objection | None:
        """See ``Executor.vet``."""
        return vet(directory, script, os.geteuid())

    def start(self, step: Step) -> None:
        """Start nothing."""

    def wait(self, step: Step, watch: Watch, *, deadline: float) -> Outcome:
        """Exit 0, with the command line as output."""
        del watch, deadline  # there is no process to tell of
        return self.collect(step)

    def trace(self, step: Step, identity: Identity | None, boot: str) -> Trace:
        """Nothing was ever started."""
        del step, identity, boot
        return Trace.NEVER_STARTED

    def collect(self, step: Step) -> Outcome:
        """As ``wait``."""
        words = shlex.join((str(step.directory / step.script), *step.arguments))
        return Outcome(Conclusion.EXITED, 0, f"dry run: would run {words}\n", "")

    def quell(self) -> None:
        """Nothing ever runs."""

    def forget(self, request_id: str) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is held."""
