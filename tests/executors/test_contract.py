"""The contract of every executor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from executor_harness import CLOCK, EXECUTOR, RecordingRunObserver, ScriptFolder, id_of, run

from executors import backends
from executors.interface import Executor, ExecutorSettings
from executors.processes import boot_id
from executors.registry import backend_names, load
from protocol.types import ExitKind, ProbeResult, Reason


@pytest.fixture(params=[EXECUTOR, "dry-run"])
def each(request: pytest.FixtureRequest, settings: ExecutorSettings) -> Iterator[Executor]:
    """Each executor in turn."""
    made = load(request.param).create(settings, CLOCK)
    yield made
    made.close()


def test_successful_script_exits_0(each: Executor, component: ScriptFolder):
    """A script that succeeds has an outcome with exit code 0."""
    component.script("exit 0")
    outcome = run(each, component.run())
    assert (outcome.exit_kind, outcome.exit_code, outcome.error) == (ExitKind.EXITED, 0, "")


def test_lane_executes_its_runs_in_sequence(each: Executor, component: ScriptFolder):
    """One lane executes any number of runs, one after the other."""
    component.script("exit 0")
    codes = [run(each, component.run(f"req-{number}")).exit_code for number in range(5)]
    assert codes == [0] * 5


def test_probe_reports_a_run_that_was_never_started(each: Executor, component: ScriptFolder):
    """A run that no coordinator started is NEVER_STARTED, however often it is probed."""
    assert [each.probe(component.run(), None, boot_id()) for _ in range(2)] == [ProbeResult.NEVER_STARTED] * 2


def test_vet_fails_for_a_missing_script(each: Executor, component: ScriptFolder):
    """Vetting reports a script that does not exist."""
    failure = each.vet(component.directory, "update.sh")
    assert failure is not None
    assert failure.reason is Reason.SCRIPT_MISSING


def test_cleanup_is_idempotent(each: Executor, component: ScriptFolder):
    """Cleaning up twice, or after an unknown request, is no error."""
    component.script("exit 0")
    run(each, component.run())
    for request_id in (id_of(), id_of(), "never-seen"):
        each.cleanup(request_id)


def test_abandoned_run_never_starts(each: Executor, component: ScriptFolder):
    """An attempt that was abandoned before its start cannot be started any more; abandoning it again is no error."""
    component.script("exit 0")
    assert [each.abandon(component.run()) for _ in range(2)] == [[], []]
    assert each.probe(component.run(), None, boot_id()) is ProbeResult.NEVER_STARTED
    assert run(each, component.run(attempt=2)).exit_code == 0


def test_abandon_does_not_change_a_run_that_ended(each: Executor, component: ScriptFolder):
    """The outcome stays the same."""
    component.script("exit 0")
    run(each, component.run())
    assert each.abandon(component.run()) == []
    outcome = each.collect(component.run())
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.EXITED, 0)


def test_close_is_idempotent(each: Executor, component: ScriptFolder):
    """Close may be called twice, and the executor can be used again."""
    component.script("exit 0")
    for number in range(2):
        assert run(each, component.run(f"req-{number}")).exit_code == 0
        each.close()
        each.close()


def test_dry_run_prints_the_command_line(settings: ExecutorSettings, component: ScriptFolder):
    """A dry run has no effect but its output."""
    component.script("touch ran")
    made = load("dry-run").create(settings, CLOCK)
    observer = RecordingRunObserver()
    assert run(made, component.run(), observer).output.startswith("dry run: would run ")
    assert not (component.directory / "ran").exists()
    assert not settings.runs.exists()
    assert observer.identities == []


@pytest.mark.parametrize("name", backend_names())
def test_registry_loads_every_known_backend(name: str):
    """Each name in the configuration belongs to a module that creates an executor."""
    assert callable(load(name).create)


def test_registry_lists_every_backend():
    """Each module in ``backends/`` has a name."""
    modules = {path.stem for path in Path(backends.__file__).parent.glob("[!_]*.py")}
    assert {name.replace("-", "_") for name in backend_names()} == modules


def test_registry_rejects_an_unknown_executor():
    """The message lists the known names."""
    with pytest.raises(Exception, match=r"cannot find executor 'docker': use one of .*dry-run.*sh"):
        load("docker")
