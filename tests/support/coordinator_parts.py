"""Parts of a coordinator for tests: runtime, executor with scripted outcomes, watcher, recording observer."""

from __future__ import annotations

from pathlib import Path

from coordinator.observers import RequestObserver
from coordinator.runtime import RunningTime, Runtime
from coordinator.sd_notify import SdNotifier
from coordinator.stop_control import StopControl
from coordinator.wakeup import Wakeup
from executors.interface import CannotStartError, Outcome, ProgressReport, VetFailure
from protocol.types import ExitKind, ProbeResult

BOOT = "this boot"


def make_runtime(journal, clock) -> Runtime:
    """The runtime that the parts of one coordinator share, without systemd."""
    return Runtime(
        clock=clock,
        boot_id=BOOT,
        running_time=RunningTime(journal, clock),
        stops=StopControl(),
        notifier=SdNotifier(None, None),
        wakeup=Wakeup(),
        mark_suspect=lambda: None,
    )


class ScriptedExecutor:
    """Runs no script: each result is taken from a list; without one, the run succeeds.

    ``outcomes`` maps a script to the results of its runs, in order: an exit code, an Outcome, None (detached), or an
    exception that ``wait`` raises. ``calls`` lists the calls.
    """

    def __init__(self, **outcomes) -> None:
        self.outcomes = {f"{name.replace('_', '-')}.sh": list(values) for name, values in outcomes.items()}
        self.vet_failures: list[VetFailure] = []
        self.start_failures: list[str] = []
        self.probe_result = ProbeResult.UNKNOWN
        self.stuck: list[int] = []
        self.calls: list[tuple[str, str]] = []
        self.reports: list[ProgressReport] = []

    def vet(self, directory: Path, script: str) -> VetFailure | None:
        return self.vet_failures.pop(0) if self.vet_failures else None

    def start(self, script_run) -> None:
        self.calls.append(("start", script_run.script))
        if self.start_failures:
            raise CannotStartError(self.start_failures.pop(0))

    def wait(self, script_run, observer, *, deadline) -> Outcome | None:
        self.calls.append(("wait", script_run.script))
        for report in self.reports:
            observer.reported(report)
        if observer.must_stop():
            return Outcome(ExitKind.INTERRUPTED, None, "", "")
        queue = self.outcomes.get(script_run.script, [])
        result = queue.pop(0) if queue else 0
        if isinstance(result, Exception):
            raise result
        if result is None or isinstance(result, Outcome):
            return result
        return Outcome(ExitKind.EXITED, result, f"{script_run.script} ran\n", "")

    def probe(self, script_run, process, boot_id) -> ProbeResult:
        self.calls.append(("probe", script_run.script))
        return self.probe_result

    def collect(self, script_run) -> Outcome:
        return Outcome(ExitKind.INTERRUPTED, None, "", "")

    def abandon(self, script_run) -> list[int]:
        self.calls.append(("abandon", script_run.script))
        return self.stuck

    def cleanup(self, request_id) -> None:
        self.calls.append(("cleanup", request_id))

    def kill_orphans(self) -> None:
        self.calls.append(("kill_orphans", ""))

    def close(self) -> None:
        """Release nothing: there is no resource."""


class NoWatcher:
    """Fake of the watcher that always reports success; the test starts each pass itself."""

    is_watching = True

    def renew(self) -> bool:
        """See ``Watcher.renew``."""
        return True

    def stop(self) -> None:
        """Do nothing."""


class RecordingRequestObserver(RequestObserver):
    """Lists its notifications: the name, and the id of the request."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.reports: list[ProgressReport] = []

    def accepted(self, record) -> None:
        self.seen.append(("accepted", record.request_id))

    def started(self, record, script) -> None:
        self.seen.append(("started", f"{record.request_id} {script}"))

    def progressed(self, record, report) -> None:
        self.reports.append(report)

    def moved(self, record) -> None:
        self.seen.append(("moved", f"{record.request_id} {record.state}"))

    def settled(self, record) -> None:
        self.seen.append(("settled", f"{record.request_id} {record.state}"))

    def answered(self, record) -> None:
        self.seen.append(("answered", record.request_id))
