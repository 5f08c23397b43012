"""The backend ``sh``: its launchers, and runs whose launchers are killed."""

from __future__ import annotations

import shutil

import pytest
from executor_harness import (
    CLOCK,
    FOREVER,
    IGNORES_TERM,
    Component,
    RecordingObserver,
    end,
    leave,
    lives,
    run,
    stop_after,
    until,
    written,
)

from executors.interface import Executor, ExecutorSettings, ProcessId
from executors.launcher import Launcher
from executors.registry import load
from executors.run_directory import RunDirectory
from executors.termination import find_shells
from protocol.types import ExitKind

LAUNCHER = "ps -o ppid= $PPID | tr -d ' ' >launcher"


def test_killed_launcher_does_not_affect_runs(executor: Executor, component: Component):
    """Its worker continues; the next run has a new launcher."""
    component.script(f"{LAUNCHER}; kill -9 $(cat launcher); echo ok; exit 6")
    codes = [run(executor, component.run(f"req-{number}")).exit_code for number in range(3)]
    assert codes == [6, 6, 6]


def test_launcher_killed_between_runs_is_replaced(executor: Executor, component: Component):
    """Neither launcher nor worker lives: the next start makes new ones."""
    component.script(f"{LAUNCHER}; echo $PPID >shell")
    assert run(executor, component.run()).exit_code == 0
    for name in ("launcher", "shell"):
        end(component.directory / name)
    until(lambda: not (lives(component.directory / "launcher") or lives(component.directory / "shell")))
    assert run(executor, component.run("req-2")).exit_code == 0


def test_process_tree_without_launcher_is_found(executor: Executor, component: Component):
    """With the launcher dead, orphans are children of init; session and environment identify them."""
    component.script(f'{LAUNCHER}; kill -9 $(cat launcher); (setsid bash -c "{IGNORES_TERM}" & ) ; {FOREVER}')
    observer = stop_after(lambda: written(component.directory / "pid"))
    outcome = run(executor, component.run(), observer)
    assert outcome.exit_kind is ExitKind.INTERRUPTED
    assert not lives(component.directory / "pid")


def test_close_ends_launcher_and_warm_worker(component: Component, settings: ExecutorSettings):
    """Both end when the executor is closed, and after an interruption."""
    component.script(f"{LAUNCHER}; echo $PPID >shell")
    made = load("sh").create(settings, CLOCK)
    run(made, component.run())
    shells = component.pids("launcher", "shell")
    made.close()
    until(lambda: not any(map(lives, shells)))
    for shell in shells:
        shell.unlink()
    component.script(f"{LAUNCHER}; echo $PPID >shell; {FOREVER}")
    run(made, component.run("req-2"), stop_after(lambda: all(map(written, shells))))
    until(lambda: not any(map(lives, shells)))


@pytest.mark.usefixtures("short_grace")
def test_kill_orphans_without_launcher_and_directory(
    executor: Executor, component: Component, settings: ExecutorSettings
):
    """The worker has the mark, too."""
    component.script(f"{LAUNCHER}; echo $$ >pid; {FOREVER}")
    leave(settings, component.run(), "pid", "launcher")
    end(component.directory / "launcher")
    until(lambda: not lives(component.directory / "launcher"))
    shutil.rmtree(settings.runs)
    executor.kill_orphans()
    assert not lives(component.directory / "pid")


@pytest.mark.usefixtures("short_grace")
def test_kill_orphans_without_shells(executor: Executor, component: Component, settings: ExecutorSettings):
    """Where no process has the mark, the run's directory identifies the script."""
    component.script(
        f"{LAUNCHER}; echo $PPID >session; (setsid bash -c 'trap \"\" TERM; echo $$ >far; {FOREVER}' & )\n"
        f"echo $$ >pid; {FOREVER}"
    )
    leave(settings, component.run(), "pid", "far", "launcher", "session")
    for shell in component.pids("launcher", "session"):
        end(shell)
    until(lambda: not find_shells(settings.runs))
    executor.kill_orphans()
    assert not any(map(lives, component.pids("pid", "far")))


def test_process_tree_excludes_another_coordinators_run(
    executor: Executor, component: Component, others: tuple[ExecutorSettings, Component]
):
    """Without launcher a run's orphans are found by the request's id, but never below another launcher."""
    settings, other = others
    other.script(f"echo $$ >pid; {FOREVER}")
    component.script(f"{LAUNCHER}; kill -9 $(cat launcher); (setsid bash -c 'echo $$ >far; {FOREVER}' & ); {FOREVER}")
    started: list[ProcessId] = []

    def is_ready() -> bool:
        if not started and written(component.directory / "far"):
            started.append(leave(settings, other.run(), "pid"))
        return bool(started)

    script_run = component.run()
    executor.start(script_run)
    outcome = executor.wait(script_run, RecordingObserver(stop=is_ready), deadline=CLOCK.monotonic() + 60)
    assert outcome.exit_kind is ExitKind.INTERRUPTED
    assert not lives(component.directory / "far")
    assert lives(other.directory / "pid")


def test_launcher_does_not_start_a_revoked_run(component: Component, settings: ExecutorSettings):
    """Also when the launcher was asked before, and reads of it only later."""
    component.script("touch ran")
    directory = RunDirectory(settings.runs, component.run())
    directory.prepare()
    assert directory.revoke()
    launcher = Launcher(settings.runs)
    launcher.request(directory.path)
    after = RunDirectory(settings.runs, component.run("after", script="other.sh"))
    component.script("exit 0", "other.sh")
    after.prepare()
    launcher.request(after.path)
    until(lambda: after.exit_code() is not None)
    launcher.close()
    assert not (component.directory / "ran").exists()
    assert directory.claim() is None


def test_claim_and_revocation_exclude_each_other(component: Component, settings: ExecutorSettings):
    """In a race exactly one of them wins."""
    component.script('touch "ran-$UPDATE_REQUEST_ID"')
    launcher = Launcher(settings.runs)
    for number in range(100):
        directory = RunDirectory(settings.runs, component.run(f"req-{number}"))
        directory.prepare()
        launcher.request(directory.path)
        for _ in range(number * 20):
            pass
        is_revoked = directory.revoke()
        if not is_revoked:
            until(lambda directory=directory: directory.exit_code() is not None)
        assert (component.directory / f"ran-{directory.run.request_id}").exists() != is_revoked
    launcher.close()
