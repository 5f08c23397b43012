"""A coordinator dies, and what it wrote about its runs is lost, too: nothing it left running goes on (I10)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from executor_harness import CLOCK, EXECUTOR, FOREVER, Component, id_of, leave, lives, until, written

from executors.interface import Executor, ExecutorSettings
from executors.processes import boot_id
from executors.registry import load
from executors.termination import find_shells
from protocol.types import ExitKind, ProbeResult

FAMILY = (
    f"(env -i setsid /bin/bash -c 'trap \"\" TERM; echo $$ >far; PATH=/bin; {FOREVER}' & ); echo $$ >pid; {FOREVER}"
)


@pytest.mark.parametrize("lost", ["runs", f"runs/{id_of()}", "nothing"], ids=["runs", "run", "nothing"])
@pytest.mark.usefixtures("short_grace")
def test_what_runs_is_quelled_whatever_files_are_lost(
    executor: Executor, component: Component, settings: ExecutorSettings, tmp_path: Path, lost: str
):
    """Script, detached family and shells end, whether or not a folder still tells of them (I10)."""
    component.script(FAMILY)
    leave(settings, component.run(), "pid", "far")
    shutil.rmtree(tmp_path / lost, ignore_errors=True)
    assert find_shells(settings.runs)
    executor.kill_orphans()
    assert not any(map(lives, component.pids("pid", "far")))
    until(lambda: not find_shells(settings.runs))


@pytest.mark.usefixtures("short_grace")
def test_a_script_with_time_to_clean_up_is_given_it(
    executor: Executor, component: Component, settings: ExecutorSettings
):
    """Quelling begins with TERM."""
    component.script("trap 'echo cleaned >cleaned; exit' TERM; echo $$ >pid; while :; do sleep 0.02; done")
    leave(settings, component.run(), "pid")
    shutil.rmtree(settings.runs)
    executor.kill_orphans()
    assert written(component.directory / "cleaned")


def test_a_link_to_the_runs_means_the_same_runs(component: Component, settings: ExecutorSettings, tmp_path: Path):
    """A configuration that names the folder by another way finds the same shells."""
    settings.runs.mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    component.script(f"echo $$ >pid; {FOREVER}")
    leave(ExecutorSettings(tmp_path / "link" / "runs", 4096), component.run(), "pid")
    shutil.rmtree(settings.runs)
    load(EXECUTOR).create(settings, CLOCK).kill_orphans()
    assert not lives(component.directory / "pid")


@pytest.mark.parametrize("runs", ["runs.other", "run", "other/runs", "runs/inner"])
def test_another_coordinators_scripts_are_left_alone(
    executor: Executor, others: tuple[ExecutorSettings, Component], tmp_path: Path, runs: str
):
    """Only exactly our own runs folder is ours, however much another's looks like it."""
    settings = ExecutorSettings(tmp_path / runs, 4096)
    component = others[1]
    component.script(f"echo $$ >pid; {FOREVER}")
    leave(settings, component.run(), "pid")
    before = find_shells(settings.runs)
    executor.kill_orphans()
    assert find_shells(settings.runs) == before
    assert lives(component.directory / "pid")
    load(EXECUTOR).create(settings, CLOCK).kill_orphans()
    assert not lives(component.directory / "pid")


@pytest.mark.usefixtures("short_grace")
def test_a_run_whose_folder_was_removed_is_not_taken_for_one_that_never_started(
    executor: Executor, component: Component, settings: ExecutorSettings, others: tuple[ExecutorSettings, Component]
):
    """Its session was known, so it ran (I3); it is ended, for nobody can follow it, and no other run is touched."""
    component.script(FAMILY)
    component.script(f"echo $$ >beside; {FOREVER}", "health-check.sh")
    identity = leave(settings, component.run(), "pid", "far")
    leave(settings, component.run("req-2", lane="other", script="health-check.sh"), "beside")
    shutil.rmtree(settings.runs / id_of())
    assert executor.probe(component.run(), identity, boot_id()) is ProbeResult.UNKNOWN
    assert not any(map(lives, component.pids("pid", "far")))
    assert lives(component.directory / "beside")
    assert executor.collect(component.run()).exit_kind is ExitKind.INTERRUPTED
    executor.kill_orphans()
    assert not lives(component.directory / "beside")
