"""A coordinator dies, and what it wrote about its runs is lost, too: nothing it left running goes on (I10)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from executor_stage import CLOCK, Component, RecordingWatch, end, lives, until, written

from executors.kinds import sh
from executors.loading import load
from executors.processes import boot_id
from executors.settings import ExecutorSettings
from executors.shells import shells
from executors.step import Conclusion, Executor, Identity, Step, Trace

FOREVER = "while :; do sleep 600; done"
FAMILY = (
    f"(env -i setsid /bin/bash -c 'trap \"\" TERM; echo $$ >far; PATH=/bin; {FOREVER}' & ); echo $$ >pid; {FOREVER}"
)
LAUNCHER = "ps -o ppid= $PPID | tr -d ' ' >launcher"


class Dead(Exception):  # noqa: N818  not an error: an end
    """The coordinator died here."""


class Dying(RecordingWatch):
    """Dies as soon as ``when`` holds."""

    def __init__(self, when: Callable[[], bool]) -> None:
        super().__init__()
        self._when = when

    def must_stop(self) -> bool:
        if self._when():
            raise Dead
        return False


@pytest.fixture(autouse=True)
def _nothing_stays(tmp_path: Path) -> Iterator[None]:
    """Whatever a test leaves in its folders is ended with it."""
    yield
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(tmp_path):
                os.kill(int(process.name), 9)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is deaf to TERM is killed soon."""
    monkeypatch.setattr(sh, "_QUELL_GRACE_S", 0.2)


@pytest.fixture
def others(tmp_path: Path) -> tuple[ExecutorSettings, Component]:
    """Another coordinator's folders on the same host."""
    directory = tmp_path / "other component"
    directory.mkdir()
    return ExecutorSettings(runs=tmp_path / "others", output_bytes=4096), Component(directory)


def leave(settings: ExecutorSettings, step: Step, *signs: str) -> Identity:
    """Let a coordinator start the step, see its signs, and die."""
    doomed = load("sh").create(settings, CLOCK)
    watch = Dying(lambda: bool(watch.identities) and all(written(step.directory / sign) for sign in signs))
    doomed.start(step)
    with pytest.raises(Dead):
        doomed.wait(step, watch, deadline=CLOCK.monotonic() + 60)
    doomed.close()
    return watch.identities[0]


@pytest.mark.parametrize("lost", ["runs", "runs/req-1", "nothing"])
@pytest.mark.usefixtures("quick")
def test_what_runs_is_quelled_whatever_files_are_lost(
    executor: Executor, component: Component, settings: ExecutorSettings, tmp_path: Path, lost: str
):
    """Script, detached family and both shells end, whether or not a folder still tells of them (I10)."""
    component.script(FAMILY)
    leave(settings, component.step(), "pid", "far")
    shutil.rmtree(tmp_path / lost, ignore_errors=True)
    assert len(shells(settings.runs)) == 2
    executor.quell()
    assert not any(map(lives, component.pids("pid", "far")))
    until(lambda: not shells(settings.runs))


@pytest.mark.usefixtures("quick")
def test_a_script_with_time_to_clean_up_is_given_it(
    executor: Executor, component: Component, settings: ExecutorSettings
):
    """Quelling begins with TERM."""
    component.script("trap 'echo cleaned >cleaned; exit' TERM; echo $$ >pid; while :; do sleep 0.02; done")
    leave(settings, component.step(), "pid")
    shutil.rmtree(settings.runs)
    executor.quell()
    assert written(component.directory / "cleaned")


@pytest.mark.usefixtures("quick")
def test_a_script_that_lost_its_launcher_and_its_folder_is_quelled(
    executor: Executor, component: Component, settings: ExecutorSettings
):
    """The session has the mark, too."""
    component.script(f"{LAUNCHER}; echo $$ >pid; {FOREVER}")
    leave(settings, component.step(), "pid", "launcher")
    end(component.directory / "launcher")
    until(lambda: not lives(component.directory / "launcher"))
    shutil.rmtree(settings.runs)
    executor.quell()
    assert not lives(component.directory / "pid")


@pytest.mark.usefixtures("quick")
def test_a_script_that_lost_both_its_shells_is_quelled(
    executor: Executor, component: Component, settings: ExecutorSettings
):
    """Where no mark is left, the run's folder still tells."""
    component.script(f"{LAUNCHER}; echo $PPID >session; {FAMILY.replace('env -i', '')}")
    leave(settings, component.step(), "pid", "far", "launcher", "session")
    for shell in component.pids("launcher", "session"):
        end(shell)
    until(lambda: not shells(settings.runs))
    executor.quell()
    assert not any(map(lives, component.pids("pid", "far")))


def test_a_link_to_the_runs_means_the_same_runs(component: Component, settings: ExecutorSettings, tmp_path: Path):
    """A configuration that names the folder by another way finds the same shells."""
    settings.runs.mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    component.script(f"echo $$ >pid; {FOREVER}")
    leave(ExecutorSettings(tmp_path / "link" / "runs", 4096), component.step(), "pid")
    shutil.rmtree(settings.runs)
    load("sh").create(settings, CLOCK).quell()
    assert not lives(component.directory / "pid")


@pytest.mark.parametrize("runs", ["runs.other", "run", "other/runs", "runs/inner"])
def test_another_coordinators_scripts_are_left_alone(
    executor: Executor, others: tuple[ExecutorSettings, Component], tmp_path: Path, runs: str
):
    """Only exactly our own runs folder is ours, however much another's looks like it."""
    settings = ExecutorSettings(tmp_path / runs, 4096)
    component = others[1]
    component.script(f"echo $$ >pid; {FOREVER}")
    leave(settings, component.step(), "pid")
    before = shells(settings.runs)
    executor.quell()
    assert shells(settings.runs) == before
    assert lives(component.directory / "pid")
    load("sh").create(settings, CLOCK).quell()
    assert not lives(component.directory / "pid")


def test_another_coordinators_script_of_the_same_id_is_left_alone(
    executor: Executor, component: Component, others: tuple[ExecutorSettings, Component]
):
    """Without launcher a run's orphans are sought by the request's id, but never below another launcher."""
    settings, other = others
    other.script(f"echo $$ >pid; {FOREVER}")
    component.script(f"{LAUNCHER}; kill -9 $(cat launcher); (setsid bash -c 'echo $$ >far; {FOREVER}' & ); {FOREVER}")
    started: list[Identity] = []

    def is_ready() -> bool:
        if not started and written(component.directory / "far"):
            started.append(leave(settings, other.step(), "pid"))
        return bool(started)

    step = component.step()
    executor.start(step)
    outcome = executor.wait(step, RecordingWatch(stop=is_ready), deadline=CLOCK.monotonic() + 60)
    assert outcome.conclusion is Conclusion.INTERRUPTED
    assert not lives(component.directory / "far")
    assert lives(other.directory / "pid")


@pytest.mark.usefixtures("quick")
def test_a_run_whose_folder_was_removed_is_not_taken_for_one_that_never_started(
    executor: Executor, component: Component, settings: ExecutorSettings, others: tuple[ExecutorSettings, Component]
):
    """Its session was known, so it ran (I3); it is ended, for nobody can follow it, and no other run is touched."""
    component.script(FAMILY)
    component.script(f"echo $$ >beside; {FOREVER}", "health-check.sh")
    identity = leave(settings, component.step(), "pid", "far")
    leave(settings, component.step("req-2", lane="other", script="health-check.sh"), "beside")
    shutil.rmtree(settings.runs / "req-1")
    assert executor.trace(component.step(), identity, boot_id()) is Trace.UNKNOWN
    assert not any(map(lives, component.pids("pid", "far")))
    assert lives(component.directory / "beside")
    assert executor.collect(component.step()).conclusion is Conclusion.INTERRUPTED
    executor.quell()
    assert not lives(component.directory / "beside")
