"""What every executor promises."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from executor_harness import CLOCK, EXECUTOR, Component, RecordingObserver, id_of, run

from executors.interface import Executor, ExecutorSettings
from executors.processes import boot_id
from executors.registry import known, load
from protocol.types import ExitKind, ProbeResult, Reason


@pytest.fixture(params=[EXECUTOR, "dry-run"])
def each(request: pytest.FixtureRequest, settings: ExecutorSettings) -> Iterator[Executor]:
    """Each executor in turn."""
    made = load(request.param).create(settings, CLOCK)
    yield made
    made.close()


def test_a_good_script_exits_0(each: Executor, component: Component):
    """A script that succeeds is an outcome with exit code 0."""
    component.script("exit 0")
    outcome = run(each, component.run())
    assert (outcome.exit_kind, outcome.exit_code, outcome.error) == (ExitKind.EXITED, 0, "")


def test_steps_follow_each_other(each: Executor, component: Component):
    """One lane runs any number of steps, one after the other."""
    component.script("exit 0")
    codes = [run(each, component.run(f"req-{number}")).exit_code for number in range(5)]
    assert codes == [0] * 5


def test_what_was_never_asked_never_started(each: Executor, component: Component):
    """A script_run that no coordinator started is traced as such, again and again."""
    assert [each.probe(component.run(), None, boot_id()) for _ in range(2)] == [ProbeResult.NEVER_STARTED] * 2


def test_a_missing_script_is_objected_to(each: Executor, component: Component):
    """Vetting names a script that is not there."""
    objection = each.vet(component.directory, "update.sh")
    assert objection is not None
    assert objection.reason is Reason.SCRIPT_MISSING


def test_forgetting_is_idempotent(each: Executor, component: Component):
    """Forgetting twice, or what never was, is no error."""
    component.script("exit 0")
    run(each, component.run())
    for request_id in (id_of(), id_of(), "never-seen"):
        each.cleanup(request_id)


def test_closing_twice_is_harmless(each: Executor, component: Component):
    """Close holds nothing back for a second time, and the executor can be used again."""
    component.script("exit 0")
    for number in range(2):
        assert run(each, component.run(f"req-{number}")).exit_code == 0
        each.close()
        each.close()


def test_dry_run_says_what_it_would_do(settings: ExecutorSettings, component: Component):
    """A dry run leaves no trace but its words."""
    component.script("touch ran")
    made = load("dry-run").create(settings, CLOCK)
    observer = RecordingObserver()
    assert run(made, component.run(), observer).output.startswith("dry run: would run ")
    assert not (component.directory / "ran").exists()
    assert not settings.runs.exists()
    assert observer.identities == []


def test_executors_are_found_by_name():
    """The names in the configuration are those of the files."""
    assert {"sh", "systemd", "dry-run"} <= set(known())


def test_an_unknown_executor_is_refused_by_naming_the_known_ones():
    """The message lists what can be used."""
    with pytest.raises(Exception, match=r"cannot find executor 'docker': use one of .*dry-run.*sh"):
        load("docker")
