"""Fake implementation of ``executors.interface.Executor`` on top of the simulated world."""

from __future__ import annotations

import shutil
from pathlib import Path

from executors.interface import CannotStartError, Outcome, ProcessId, ProgressReport, RunObserver, ScriptRun, VetFailure
from property_tests.world import Run, ScriptBehavior, World
from protocol.types import ExitKind, ProbeResult, Reason


class FakeExecutor:
    """Runs simulated scripts; between two effects the crash injector can kill the coordinator."""

    def __init__(self, world: World) -> None:
        self._world = world

    def vet(self, directory: Path, script: str) -> VetFailure | None:
        """See ``Executor.vet``."""
        if directory.name in self._world.unsafe:
            return VetFailure(Reason.SCRIPT_UNSAFE, f"cannot run {script}: it is writable by others")
        return None

    def start(self, script_run: ScriptRun) -> None:
        """See ``Executor.start``: creates the attempt's directory before it starts the script."""
        world, key = self._world, (script_run.request_id, script_run.attempt)
        world.on_start(script_run)
        folder = world.runs_folder / script_run.request_id / str(script_run.attempt)
        if folder.exists():
            raise CannotStartError(f"cannot start {script_run.script}: the attempt's directory exists")
        behavior = world.next_behavior(script_run.request_id, script_run.script)
        if behavior is ScriptBehavior.CANNOT_START:
            world.failed_starts.append((script_run.request_id, script_run.script))
            raise CannotStartError(f"cannot start {script_run.script}: out of processes")
        _make(folder)
        world.crash_injector.step("start", Path(script_run.script))
        overlapping = [
            f"{run.request_id}/{run.attempt} {run.script}" for run in world.alive() if run.lock == script_run.lane
        ]
        identity = ProcessId(world.boot_id, 100 + len(world.history), 7 * len(world.history))
        run = Run(
            *key,
            script_run.script,
            script_run.component,
            script_run.lane,
            behavior,
            identity,
            overlapping,
            script_run.version,
        )
        world.history.append(run)
        world.workers[key] = run
        # The coordinator may crash before it records the start.
        world.crash_injector.step("observe", Path(script_run.script))

    def wait(self, script_run: ScriptRun, observer: RunObserver, *, deadline: float) -> Outcome | None:
        """See ``Executor.wait``."""
        world = self._world
        run = world.workers[script_run.request_id, script_run.attempt]
        if run is None:
            raise AssertionError("wait was called for a revoked run")
        observer.started(run.identity)
        observer.reported(ProgressReport("working", 50))
        if world.stop_in is not None:
            if world.stop_in == 0:
                world.on_stop()
            world.stop_in -= 1
        world.crash_injector.step("watch")
        if run.is_alive and run.ended_by is None and not observer.must_stop():
            run.end()
            world.clock.sleep(1.0)
        if run.is_alive or run.ended_by:
            if not observer.must_stop() and run.ended_by is None:
                world.clock.sleep(max(0.0, deadline - world.clock.monotonic()))
            run.ended_by = run.ended_by or (ExitKind.INTERRUPTED if observer.must_stop() else ExitKind.TIMED_OUT)
            world.crash_injector.step("signal")
            run.kill()
        world.crash_injector.step("collect")
        return self.collect(script_run)

    def probe(self, script_run: ScriptRun, identity: ProcessId | None, boot_id: str) -> ProbeResult:
        """See ``Executor.probe``."""
        world, key = self._world, (script_run.request_id, script_run.attempt)
        run = world.workers.get(key)
        if run is not None and run.exit_code is not None:
            return ProbeResult.ENDED
        if boot_id != world.boot_id:
            return ProbeResult.UNKNOWN
        if run is None:
            _make(world.runs_folder / script_run.request_id / str(script_run.attempt))
            world.workers[key] = None
            return ProbeResult.NEVER_STARTED
        return ProbeResult.ALIVE if run.is_alive and identity in (None, run.identity) else ProbeResult.UNKNOWN

    def collect(self, script_run: ScriptRun) -> Outcome:
        """See ``Executor.collect``."""
        run = self._world.workers.get((script_run.request_id, script_run.attempt))
        exit_kind = (run.ended_by if run else None) or ExitKind.INTERRUPTED
        if run is not None and run.ended_by is None and run.exit_code is not None:
            exit_kind = ExitKind.EXITED
        output = f"{script_run.script} of {script_run.request_id}\n" if run else ""
        return Outcome(exit_kind, run.exit_code if run else None, output, "")

    def abandon(self, script_run: ScriptRun) -> list[int]:
        """See ``Executor.abandon``."""
        for run in self._world.alive():
            if (run.request_id, run.attempt) == (script_run.request_id, script_run.attempt):
                run.ended_by = ExitKind.INTERRUPTED
                self._world.crash_injector.step("abandon")
                run.kill()
        return []

    def cleanup(self, request_id: str) -> None:
        """See ``Executor.cleanup``."""
        self._world.crash_injector.step("cleanup")
        shutil.rmtree(self._world.runs_folder / request_id, ignore_errors=True)
        for key in [key for key in self._world.workers if key[0] == request_id]:
            del self._world.workers[key]

    def kill_orphans(self) -> None:
        """Kill the running scripts of an earlier coordinator, at a start without a journal (I10, I13)."""
        for run in self._world.alive():
            run.ended_by = ExitKind.INTERRUPTED
            self._world.crash_injector.step("kill orphans")
            run.kill()

    def close(self) -> None:
        """See ``Executor.close``."""


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
