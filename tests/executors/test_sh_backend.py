"""The backend ``sh``: its launchers, and runs whose launchers are killed."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from executor_harness import (
    CLOCK,
    FOREVER,
    IGNORES_TERM,
    RecordingRunObserver,
    ScriptFolder,
    end,
    is_alive,
    run,
    start_and_crash,
    stop_after,
    written,
)

from executors import launcher as launcher_module
from executors.interface import Executor, ExecutorSettings, ProcessId
from executors.launcher import Launcher
from executors.processes import boot_id
from executors.registry import load
from executors.run_directory import RunDirectory
from executors.termination import find_shells
from protocol.types import ExitKind, ProbeResult
from tests.support.polling import wait_until

LAUNCHER_SCRIPT = str(Path(launcher_module.__file__).with_name("launcher.sh"))
LAUNCHER = "ps -o ppid= $PPID | tr -d ' ' >launcher"


def test_killed_launcher_does_not_affect_runs(executor: Executor, component: ScriptFolder):
    """The worker continues; the next run has a new launcher."""
    component.script(f"{LAUNCHER}; kill -9 $(cat launcher); echo ok; exit 6")
    codes = [run(executor, component.run(f"req-{number}")).exit_code for number in range(3)]
    assert codes == [6, 6, 6]


def test_launcher_killed_between_runs_is_replaced(executor: Executor, component: ScriptFolder):
    """The next start creates a new launcher and a new worker."""
    component.script(f"{LAUNCHER}; echo $PPID >shell")
    assert run(executor, component.run()).exit_code == 0
    for name in ("launcher", "shell"):
        end(component.directory / name)
    wait_until(lambda: not (is_alive(component.directory / "launcher") or is_alive(component.directory / "shell")))
    assert run(executor, component.run("req-2")).exit_code == 0


def test_process_tree_without_launcher_is_found(executor: Executor, component: ScriptFolder):
    """When the launcher has ended, orphans are children of init; session and environment identify them."""
    component.script(f'{LAUNCHER}; kill -9 $(cat launcher); (setsid bash -c "{IGNORES_TERM}" & ) ; {FOREVER}')
    observer = stop_after(lambda: written(component.directory / "pid"))
    outcome = run(executor, component.run(), observer)
    assert outcome.exit_kind is ExitKind.INTERRUPTED
    assert not is_alive(component.directory / "pid")


def test_close_ends_launcher_and_warm_worker(component: ScriptFolder, settings: ExecutorSettings):
    """Both end when the executor is closed, and also after an interruption."""
    component.script(f"{LAUNCHER}; echo $PPID >shell")
    made = load("sh").create(settings, CLOCK)
    run(made, component.run())
    shells = component.pids("launcher", "shell")
    made.close()
    wait_until(lambda: not any(map(is_alive, shells)))
    for shell in shells:
        shell.unlink()
    component.script(f"{LAUNCHER}; echo $PPID >shell; {FOREVER}")
    run(made, component.run("req-2"), stop_after(lambda: all(map(written, shells))))
    wait_until(lambda: not any(map(is_alive, shells)))


@pytest.mark.usefixtures("short_grace")
def test_kill_orphans_finds_a_worker_without_launcher_and_directory(
    executor: Executor, component: ScriptFolder, settings: ExecutorSettings
):
    """The worker has the mark of the launcher, too."""
    component.script(f"{LAUNCHER}; echo $$ >pid; {FOREVER}")
    start_and_crash(settings, component.run(), "pid", "launcher")
    end(component.directory / "launcher")
    wait_until(lambda: not is_alive(component.directory / "launcher"))
    shutil.rmtree(settings.runs)
    executor.kill_orphans()
    assert not is_alive(component.directory / "pid")


@pytest.mark.usefixtures("short_grace")
def test_kill_orphans_finds_a_script_without_shells(
    executor: Executor, component: ScriptFolder, settings: ExecutorSettings
):
    """Where no process has the mark, the run's directory identifies the script."""
    component.script(
        f"{LAUNCHER}; echo $PPID >worker; (setsid bash -c 'trap \"\" TERM; echo $$ >far; {FOREVER}' & )\n"
        f"echo $$ >pid; {FOREVER}"
    )
    start_and_crash(settings, component.run(), "pid", "far", "launcher", "worker")
    for shell in component.pids("launcher", "worker"):
        end(shell)
    wait_until(lambda: not find_shells(settings.runs))
    executor.kill_orphans()
    assert not any(map(is_alive, component.pids("pid", "far")))


def test_process_tree_excludes_another_coordinators_run(
    executor: Executor, component: ScriptFolder, others: tuple[ExecutorSettings, ScriptFolder]
):
    """Without launcher the request id identifies a run's orphans, but never those below another launcher."""
    settings, other = others
    other.script(f"echo $$ >pid; {FOREVER}")
    component.script(f"{LAUNCHER}; kill -9 $(cat launcher); (setsid bash -c 'echo $$ >far; {FOREVER}' & ); {FOREVER}")
    started: list[ProcessId] = []

    def is_ready() -> bool:
        if not started and written(component.directory / "far"):
            started.append(start_and_crash(settings, other.run(), "pid"))
        return bool(started)

    script_run = component.run()
    executor.start(script_run)
    outcome = executor.wait(script_run, RecordingRunObserver(stop=is_ready), deadline=CLOCK.monotonic() + 60)
    assert outcome.exit_kind is ExitKind.INTERRUPTED
    assert not is_alive(component.directory / "far")
    assert is_alive(other.directory / "pid")


def test_launcher_does_not_start_a_revoked_run(component: ScriptFolder, settings: ExecutorSettings):
    """This holds even if the launcher was requested earlier, and reads the request only later."""
    component.script("touch ran")
    directory = RunDirectory(settings.runs, component.run())
    directory.prepare()
    assert directory.revoke()
    launcher = Launcher(settings.runs)
    launcher.submit(directory.path)
    after = RunDirectory(settings.runs, component.run("after", script="other.sh"))
    component.script("exit 0", "other.sh")
    after.prepare()
    launcher.submit(after.path)
    wait_until(lambda: after.exit_code() is not None)
    launcher.close()
    assert not (component.directory / "ran").exists()
    assert directory.claim() is None


def test_claim_and_revocation_exclude_each_other(component: ScriptFolder, settings: ExecutorSettings):
    """In a race exactly one of them succeeds."""
    component.script('touch "ran-$UPDATE_REQUEST_ID"')
    launcher = Launcher(settings.runs)
    for number in range(100):
        directory = RunDirectory(settings.runs, component.run(f"req-{number}"))
        directory.prepare()
        launcher.submit(directory.path)
        for _ in range(number * 20):
            pass
        is_revoked = directory.revoke()
        if not is_revoked:
            wait_until(lambda directory=directory: directory.exit_code() is not None)
        assert (component.directory / f"ran-{directory.run.request_id}").exists() != is_revoked
    launcher.close()


@pytest.mark.parametrize(
    ("end_of_worker", "workers"),
    [("kill -KILL $$", 10), ("kill -34 $$", 10), ("exit 9", 1), ("exit 2", 1), ("exit 193", 1), ("exit 255", 1)],
)
def test_launcher_starts_a_bounded_number_of_workers(tmp_path: Path, end_of_worker: str, workers: int):
    """After a signal, 1 to 64, the launcher starts another worker, ten in all; any other exit code ends it (I16)."""
    worker = tmp_path / "session.sh"
    worker.write_text(f"echo started >>{tmp_path}/started\n{end_of_worker}\n")
    subprocess.run(["/bin/sh", LAUNCHER_SCRIPT, worker, tmp_path], stdin=subprocess.DEVNULL, check=False, timeout=60)
    assert (tmp_path / "started").read_text() == "started\n" * workers


def test_lane_survives_warm_workers_that_are_killed(executor: Executor, component: ScriptFolder):
    """A launcher that has reached its bound is replaced."""
    component.script(f"{LAUNCHER}; echo $PPID >shell")
    assert run(executor, component.run()).exit_code == 0
    launcher, killed = int((component.directory / "launcher").read_text()), 0
    while is_alive(component.directory / "launcher"):
        for child in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(child), 9)
                killed += 1
        assert killed < 1000
    assert run(executor, component.run("req-2")).exit_code == 0


def test_run_of_an_earlier_release_is_adopted(executor: Executor, component: ScriptFolder, settings: ExecutorSettings):
    """Its shells run from another folder; their names, arguments and files are the same."""
    component.script("echo $$ >pid; until [ -e go ]; do sleep 0.1; done; exit 5")
    release = component.directory / "0.9.0/executors"
    release.mkdir(parents=True)
    for script in ("launcher.sh", "session.sh"):
        shutil.copy(Path(LAUNCHER_SCRIPT).with_name(script), release)
    directory = RunDirectory(settings.runs, component.run())
    directory.prepare()
    earlier = subprocess.Popen(
        ["/bin/sh", release / "launcher.sh", release / "session.sh", settings.runs],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    earlier.stdin.write(f"{directory.path}\n".encode())
    earlier.stdin.close()
    wait_until(lambda: written(component.directory / "pid"))
    assert earlier.pid in {shell.pid for shell in find_shells(settings.runs)}
    assert executor.probe(component.run(), None, boot_id()) is ProbeResult.ALIVE
    (component.directory / "go").touch()
    assert executor.wait(component.run(), RecordingRunObserver(), deadline=CLOCK.monotonic() + 60).exit_code == 5
    earlier.wait()
