"""Scripts that must be ended, and shells that somebody else ended."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from executor_harness import (
    CLOCK,
    FOREVER,
    IGNORES_TERM,
    Component,
    RecordingObserver,
    end,
    id_of,
    lives,
    overrun,
    run,
    stop_after,
    written,
)

from executors import termination
from executors.interface import Executor, ExecutorSettings
from executors.processes import Process, send_signal
from protocol.types import ExitKind

FAMILIES = {
    "plain": f"echo $$ >pid; {FOREVER}",
    "deaf to TERM": IGNORES_TERM,
    "background": f"({IGNORES_TERM}) & wait",
    "own session": f'setsid bash -c "{IGNORES_TERM}" & wait',
    "double fork": f'(setsid bash -c "{IGNORES_TERM}" & ) ; {FOREVER}',
    "no environment": f'(env -i setsid /bin/bash -c "PATH=$PATH; {IGNORES_TERM}" & ) ; {FOREVER}',
    "stopped": "echo $$ >pid; kill -STOP $$",
    "parent gone first": f"(setsid bash -c \"{IGNORES_TERM}\" & ) ; trap 'exit 0' TERM; {FOREVER}",
    "spawns at TERM": f"trap '{IGNORES_TERM}' TERM; while :; do sleep 0.05; done",
}


@pytest.mark.parametrize("body", FAMILIES.values(), ids=FAMILIES.keys())
def test_nothing_survives_an_interruption(executor: Executor, component: Component, body: str):
    """However a process detaches itself, it is ended with its script, and the lane is usable again."""
    component.script(body)
    pid = component.directory / "pid"
    is_late = "trap 'trap" in body
    observer = stop_after(lambda: is_late or written(pid))
    outcome = run(executor, component.run(), observer)
    assert outcome.exit_kind is ExitKind.INTERRUPTED
    assert not pid.exists() or not lives(pid)
    assert len(observer.identities) <= 1
    component.script("exit 4")
    assert run(executor, component.run("req-2")).exit_code == 4


def test_the_deadline_ends_a_script_with_term(executor: Executor, component: Component):
    """A script that cleans up at TERM is given the time to, and its exit code is told beside the timeout."""
    component.script("trap 'echo cleaning; exit 9' TERM; echo $$ >pid; while :; do sleep 0.05; done")
    outcome = overrun(executor, component.run(kill_grace_s=60.0))
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.TIMED_OUT, 9)
    assert outcome.output.endswith("cleaning\n")


@pytest.mark.parametrize(("ears", "left"), [("echo cleaned; exit 9", 9), ("", 137)], ids=["TERM", "KILL"])
def test_a_script_gets_its_signal_before_its_children(
    executor: Executor, component: Component, monkeypatch: pytest.MonkeyPatch, ears: str, left: int
):
    """Else it would see them end first, and go on, or exit without its trap. The wait is a busy machine's."""

    def slowly(process: Process, number: signal.Signals) -> None:
        send_signal(process, number)
        CLOCK.sleep(0.2)

    monkeypatch.setattr(termination, "send_signal", slowly)
    component.script(f"trap '{ears}' TERM; bash -c 'echo $$ >pid; {FOREVER}' & wait $!; touch went-on; exit 3")
    outcome = run(executor, component.run(), stop_after(lambda: written(component.directory / "pid")))
    assert outcome.exit_code == left
    assert not (component.directory / "went-on").exists()


def test_a_killed_script_tells_so(executor: Executor, component: Component):
    """After the grace, KILL: exit code 137."""
    component.script(IGNORES_TERM)
    outcome = overrun(executor, component.run())
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.TIMED_OUT, 137)


def test_much_output_does_not_hide_the_deadline(executor: Executor, component: Component):
    """A script that floods its stdout is still ended in time."""
    component.script("yes PHASE:flood | head -c 400000000 >&1; sleep 600")
    outcome = run(executor, component.run(), within_s=0.5)
    assert outcome.exit_kind is ExitKind.TIMED_OUT


def test_a_step_whose_deadline_passed_is_ended_all_the_same(executor: Executor, component: Component):
    """Started too late to be in time, the run ends at once; it may or may not have begun."""
    component.script(IGNORES_TERM)
    outcome = run(executor, component.run(), within_s=-1)
    assert outcome.exit_kind is ExitKind.TIMED_OUT
    assert not (component.directory / "pid").exists() or not lives(component.directory / "pid")


def test_a_killed_session_is_an_interruption(executor: Executor, component: Component):
    """Without anybody to record the exit code, everything left of the run is ended, and the truth is told."""
    component.script(f'(env -i setsid /bin/bash -c "PATH=$PATH; {IGNORES_TERM}" & ) ; echo $PPID >shell; {FOREVER}')
    shell = component.directory / "shell"
    struck: list[bool] = []

    def strike() -> bool:
        if not struck and written(shell) and written(component.directory / "pid"):
            end(shell)
            struck.append(True)
        return False

    outcome = run(executor, component.run(), RecordingObserver(stop=strike))
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.INTERRUPTED, None)
    assert "killed from outside" in outcome.detail
    assert not lives(component.directory / "pid")
    component.script("exit 0")
    assert run(executor, component.run("req-2")).exit_code == 0


def test_an_exit_code_that_cannot_be_written_is_not_made_up(
    executor: Executor, component: Component, settings: ExecutorSettings
):
    """The run counts as interrupted as soon as its session gives up, not as one that took too long."""
    own = settings.runs / id_of() / "1/session"
    component.script(f"until [ -e go ]; do sleep 0.01; done; rm {own}; ln -s /nowhere/session {own}; exit 0")
    observer = RecordingObserver()
    observer.started = lambda _identity: (component.directory / "go").touch()
    outcome = run(executor, component.run(), observer)
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.INTERRUPTED, None)
    assert "before it could record" in outcome.detail
    component.script("exit 4")
    assert run(executor, component.run("req-2")).exit_code == 4


def test_lanes_do_not_wait_for_each_other(executor: Executor, component: Component):
    """While one lane's script runs, another's comes and goes (I10)."""
    component.script("until [ -e go ]; do sleep 0.01; done; exit 2")
    component.script("touch go", "health-check.sh")
    slow = component.run("slow")
    executor.start(slow)
    assert run(executor, component.run("quick", lane="other", script="health-check.sh")).exit_code == 0
    assert executor.wait(slow, RecordingObserver(), deadline=CLOCK.monotonic() + 60).exit_code == 2


def test_a_signal_to_the_coordinators_group_reaches_no_script(executor: Executor, component: Component, tmp_path: Path):
    """The script's group is not ours."""
    component.script("ps -o pgid= $$")
    assert int(run(executor, component.run()).output) != os.getpgid(0)
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
