"""Orphans: processes that still run after a coordinator crashed and its files were lost are ended (I10)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from executor_harness import CLOCK, EXECUTOR, FOREVER, ScriptFolder, id_of, is_alive, start_and_crash, written

from executors.interface import Executor, ExecutorSettings
from executors.processes import boot_id
from executors.registry import load
from executors.run_directory import RunDirectory
from executors.termination import find_shells
from protocol.types import ExitKind, ProbeResult
from tests.support.polling import wait_until

PROCESS_TREE = (
    f"(env -i setsid /bin/bash -c 'trap \"\" TERM; echo $$ >far; PATH=/bin; {FOREVER}' & ); echo $$ >pid; {FOREVER}"
)


@pytest.mark.parametrize("lost", ["runs", f"runs/{id_of()}", "nothing"], ids=["runs", "run", "nothing"])
@pytest.mark.usefixtures("short_grace")
def test_kill_orphans_with_and_without_files_of_the_run(
    executor: Executor, component: ScriptFolder, settings: ExecutorSettings, tmp_path: Path, lost: str
):
    """Script, detached processes and shells end, with or without their directory (I10)."""
    component.script(PROCESS_TREE)
    start_and_crash(settings, component.run(), "pid", "far")
    shutil.rmtree(tmp_path / lost, ignore_errors=True)
    assert find_shells(settings.runs)
    executor.kill_orphans()
    assert not any(map(is_alive, component.pids("pid", "far")))
    wait_until(lambda: not find_shells(settings.runs))


@pytest.mark.usefixtures("short_grace")
def test_kill_orphans_sends_term_first(executor: Executor, component: ScriptFolder, settings: ExecutorSettings):
    """A script gets time to clean up."""
    component.script("trap 'echo cleaned >cleaned; exit' TERM; echo $$ >pid; while :; do sleep 0.02; done")
    start_and_crash(settings, component.run(), "pid")
    shutil.rmtree(settings.runs)
    executor.kill_orphans()
    assert written(component.directory / "cleaned")


def test_kill_orphans_resolves_links(component: ScriptFolder, settings: ExecutorSettings, tmp_path: Path):
    """A configuration that names the folder by another path finds the same shells."""
    settings.runs.mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    component.script(f"echo $$ >pid; {FOREVER}")
    start_and_crash(ExecutorSettings(tmp_path / "link" / "runs", 4096), component.run(), "pid")
    shutil.rmtree(settings.runs)
    load(EXECUTOR).create(settings, CLOCK).kill_orphans()
    assert not is_alive(component.directory / "pid")


@pytest.mark.parametrize("runs", ["runs.other", "run", "other/runs", "runs/inner"])
def test_kill_orphans_ignores_another_coordinator(
    executor: Executor, others: tuple[ExecutorSettings, ScriptFolder], tmp_path: Path, runs: str
):
    """Only the exact path of our own runs folder counts, however similar another path is."""
    settings = ExecutorSettings(tmp_path / runs, 4096)
    component = others[1]
    component.script(f"echo $$ >pid; {FOREVER}")
    start_and_crash(settings, component.run(), "pid")
    before = find_shells(settings.runs)
    executor.kill_orphans()
    assert find_shells(settings.runs) == before
    assert is_alive(component.directory / "pid")
    load(EXECUTOR).create(settings, CLOCK).kill_orphans()
    assert not is_alive(component.directory / "pid")


@pytest.mark.usefixtures("short_grace")
def test_probe_of_a_removed_directory_is_unknown(
    executor: Executor,
    component: ScriptFolder,
    settings: ExecutorSettings,
    others: tuple[ExecutorSettings, ScriptFolder],
):
    """The worker was known, so the script ran (I3); the script is ended, and no other run is affected."""
    component.script(PROCESS_TREE)
    component.script(f"echo $$ >beside; {FOREVER}", "health-check.sh")
    identity = start_and_crash(settings, component.run(), "pid", "far")
    start_and_crash(settings, component.run("req-2", lane="other", script="health-check.sh"), "beside")
    shutil.rmtree(settings.runs / id_of())
    assert executor.probe(component.run(), identity, boot_id()) is ProbeResult.UNKNOWN
    assert not any(map(is_alive, component.pids("pid", "far")))
    assert is_alive(component.directory / "beside")
    assert executor.collect(component.run()).exit_kind is ExitKind.INTERRUPTED
    executor.kill_orphans()
    assert not is_alive(component.directory / "beside")


def test_kill_orphans_continues_after_a_broken_directory(
    executor: Executor, component: ScriptFolder, settings: ExecutorSettings
):
    """Every other run is ended; then the error is raised: a run of the broken directory may exist (I10, I16)."""
    component.script("exit 0")
    for number in range(4):
        broken = settings.runs / f"broken-{number}/1/session"
        broken.mkdir(parents=True)
    for number in range(4):
        directory = RunDirectory(settings.runs, component.run(f"intact-{number}"))
        directory.prepare()
    with pytest.raises(OSError, match="broken-"):
        executor.kill_orphans()
    for number in range(4):
        assert (settings.runs / id_of(f"intact-{number}") / "1/session").read_text() == "revoked\n"
