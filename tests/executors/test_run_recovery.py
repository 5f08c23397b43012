"""Recovery of runs after the coordinator crashed: probe, adopt, collect."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from executor_harness import CLOCK, EXECUTOR, RecordingRunObserver, ScriptFolder, id_of, is_alive, run, written

from executors.interface import Executor, ExecutorSettings, ProcessId, ScriptRun
from executors.processes import boot_id
from executors.registry import load
from executors.run_directory import RunDirectory
from protocol.types import ExitKind, ProbeResult
from tests.support.polling import wait_until

COORDINATOR = """
import json, os, sys
from pathlib import Path
from executor_harness import CLOCK, EXECUTOR, DEADLINE_S, ScriptFolder, RecordingRunObserver, written
from executors.registry import load
from executors.interface import ExecutorSettings
from tests.support.polling import wait_until
runs, directory, grace, crash = sys.argv[1:]
executor = load(EXECUTOR).create(ExecutorSettings(Path(runs), 4096), CLOCK)
script_run = ScriptFolder(Path(directory)).run(kill_grace_s=float(grace))
executor.start(script_run)
if crash == "at once":
    os._exit(9)
deadline = CLOCK.monotonic() + DEADLINE_S
if crash == "in the grace period":
    wait_until(lambda: written(Path(directory) / "pid"))
    deadline = CLOCK.monotonic()
class Observer(RecordingRunObserver):
    def started(self, identity):
        print(json.dumps([identity.boot_id, identity.pid, identity.start_ticks]), flush=True)
        if crash == "when started":
            os._exit(9)
executor.wait(script_run, Observer(), deadline=deadline)
"""
WAITS = "echo $$ >pid; until [ -e go ]; do sleep 0.1; done; echo done; exit 5"


def crash(component: ScriptFolder, settings: ExecutorSettings, when: str, grace_s: float = 0.3) -> ProcessId | None:
    """Start the run in another process, which crashes; return the identity that it observed, if any."""
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", COORDINATOR, str(settings.runs), str(component.directory), str(grace_s), when],
        env=os.environ | {"PYTHONPATH": f"{here}:{here.parents[1]}"},
        stdout=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    assert done.returncode == 9
    return ProcessId(*json.loads(done.stdout)) if done.stdout else None


def adopt(
    executor: Executor, script_run: ScriptRun, observer: RecordingRunObserver | None = None, within_s: float = 60.0
):
    """Wait for a run that another coordinator started."""
    return executor.wait(script_run, observer or RecordingRunObserver(), deadline=CLOCK.monotonic() + within_s)


def test_running_script_is_adopted(executor: Executor, component: ScriptFolder, settings: ExecutorSettings):
    """The script is not affected; the outcome has its exit code and output."""
    component.script(WAITS)
    identity = crash(component, settings, "when started")
    assert executor.probe(component.run(), identity, boot_id()) is ProbeResult.ALIVE
    (component.directory / "go").touch()
    outcome = adopt(executor, component.run())
    assert (outcome.exit_kind, outcome.exit_code, outcome.output) == (ExitKind.EXITED, 5, "done\n")


def test_adopted_run_can_time_out(executor: Executor, component: ScriptFolder, settings: ExecutorSettings):
    """An adopted script and the processes that it detached are ended like those of an own run."""
    component.script(f"(env -i setsid /bin/bash -c 'echo $$ >far; /bin/sleep 600; :' & ) ; {WAITS}")
    crash(component, settings, "when started")
    wait_until(lambda: written(component.directory / "far") and written(component.directory / "pid"))
    outcome = adopt(executor, component.run(), within_s=0)
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.TIMED_OUT, 143)
    assert not any(map(is_alive, component.pids("far", "pid")))


def test_run_spawned_just_before_a_crash_is_adopted_or_revoked(
    executor: Executor, component: ScriptFolder, settings: ExecutorSettings
):
    """The coordinator crashes before it reads the claim: the run is either revoked permanently or adopted."""
    component.script("echo ran >>count")
    crash(component, settings, "at once")
    script_run = component.run()
    result = executor.probe(script_run, None, boot_id())
    if result is ProbeResult.ALIVE:
        adopt(executor, script_run)
    assert (component.directory / "count").exists() == (result is not ProbeResult.NEVER_STARTED)


def test_run_that_ended_without_coordinator_is_collected(
    executor: Executor, component: ScriptFolder, settings: ExecutorSettings
):
    """Its exit code counts, also after a reboot."""
    component.script("echo alone; exit 3")
    crash(component, settings, "when started")
    session_file = settings.runs / id_of() / "1/session"
    wait_until(lambda: session_file.exists() and "exit 3\n" in session_file.read_text())
    assert executor.probe(component.run(), None, boot_id()) is ProbeResult.ENDED
    assert executor.probe(component.run(), None, "another boot") is ProbeResult.ENDED
    outcome = executor.collect(component.run())
    assert (outcome.exit_kind, outcome.exit_code, outcome.output) == (ExitKind.EXITED, 3, "alone\n")


def test_probe_after_reboot_without_exit_code_is_unknown(executor: Executor, component: ScriptFolder):
    """A power cut may have taken any file: their absence proves nothing (I3)."""
    assert executor.probe(component.run(), None, "another boot") is ProbeResult.UNKNOWN
    outcome = executor.collect(component.run())
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.INTERRUPTED, None)


def test_probe_of_a_killed_worker_is_unknown(executor: Executor, component: ScriptFolder, settings: ExecutorSettings):
    """When the worker is killed without a coordinator, its processes are ended before ``probe`` returns UNKNOWN."""
    component.script(f"echo before; (setsid bash -c 'echo $$ >far; sleep 600; :' & ); {WAITS}")
    identity = crash(component, settings, "when started")
    assert identity is not None
    wait_until(lambda: written(component.directory / "far") and written(component.directory / "pid"))
    (component.directory / "shell").write_text(str(identity.pid))
    os.kill(identity.pid, 9)
    wait_until(lambda: not is_alive(component.directory / "shell"))
    assert executor.probe(component.run(), identity, boot_id()) is ProbeResult.UNKNOWN
    assert not any(map(is_alive, component.pids("far", "pid")))
    assert executor.collect(component.run()).output == "before\n"


def test_crash_within_the_grace_period_keeps_the_exit_kind(
    executor: Executor, component: ScriptFolder, settings: ExecutorSettings
):
    """A run that was being ended at its deadline is timed out for the next coordinator as well."""
    component.script(f"trap '' TERM; {WAITS}")
    here = Path(__file__).parent
    crashing = subprocess.Popen(
        [sys.executable, "-c", COORDINATOR, str(settings.runs), str(component.directory), "60", "in the grace period"],
        env=os.environ | {"PYTHONPATH": f"{here}:{here.parents[1]}"},
        stdout=subprocess.DEVNULL,
    )
    session_file = settings.runs / id_of() / "1/session"
    wait_until(lambda: session_file.exists() and "ended_by" in session_file.read_text())
    crashing.kill()
    crashing.wait()
    script_run = component.run()
    result = executor.probe(script_run, None, boot_id())
    outcome = adopt(executor, script_run) if result is ProbeResult.ALIVE else executor.collect(script_run)
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.TIMED_OUT, 137)
    assert not is_alive(component.directory / "pid")


def test_probe_does_not_adopt_another_process(executor: Executor, component: ScriptFolder, settings: ExecutorSettings):
    """A pid alone proves nothing: the start time must agree."""
    component.script("touch ran")
    directory = RunDirectory(settings.runs, component.run())
    directory.prepare()
    (directory.path / "session").write_text("1 99 1 99\n")
    assert executor.probe(component.run(), None, boot_id()) is ProbeResult.UNKNOWN


@pytest.mark.parametrize("left", ["", "12"], ids=["empty", "partial"])
def test_unfinished_claim_is_revoked(
    executor: Executor, component: ScriptFolder, settings: ExecutorSettings, left: str
):
    """A worker that died, or found the disk full, while it wrote its claim started nothing."""
    directory = RunDirectory(settings.runs, component.run())
    directory.prepare()
    (directory.path / "session").write_text(left)
    assert executor.probe(component.run(), None, boot_id()) is ProbeResult.NEVER_STARTED
    assert (directory.path / "session").read_text() == f"{left}revoked\n"
    with (directory.path / "session").open("a") as late:  # a claimant that was only slow appends its claim
        late.write("1 99 1 99\n")
    assert directory.claim() is None
    assert directory.revoke()


def test_lane_starts_own_runs_after_an_adoption(
    executor: Executor, component: ScriptFolder, settings: ExecutorSettings
):
    """The lane then has a launcher of its own."""
    component.script(WAITS)
    crash(component, settings, "when started")
    (component.directory / "go").touch()
    assert adopt(executor, component.run()).exit_code == 5
    assert run(executor, component.run(attempt=2)).exit_code == 5


def test_probe_by_a_second_executor_agrees_with_the_first(component: ScriptFolder, settings: ExecutorSettings):
    """A second executor exists after a restart."""
    component.script("exit 0")
    first = load(EXECUTOR).create(settings, CLOCK)
    observer = RecordingRunObserver()
    run(first, component.run(), observer)
    second = load(EXECUTOR).create(settings, CLOCK)
    assert second.probe(component.run(), observer.identities[0], boot_id()) is ProbeResult.ENDED
    assert asdict(second.collect(component.run()))["exit_code"] == 0
    first.close()
