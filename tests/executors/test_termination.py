"""Ending scripts: deadlines, interruptions, killed workers, abandoned runs."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from pathlib import Path

import pytest
from executor_harness import (
    CLOCK,
    FOREVER,
    IGNORES_TERM,
    RecordingRunObserver,
    ScriptFolder,
    SteppedClock,
    end,
    id_of,
    is_alive,
    overrun,
    run,
    stop_after,
    written,
)

from executors import script_executor, termination
from executors.interface import Executor, ExecutorSettings
from executors.processes import Process, send_signal, stat_process
from executors.run_directory import RunDirectory
from executors.termination import end_run, terminate
from protocol.types import ExitKind
from tests.support.polling import wait_until

PROCESS_TREES = {
    "plain": f"echo $$ >pid; {FOREVER}",
    "ignores TERM": IGNORES_TERM,
    "background": f"({IGNORES_TERM}) & wait",
    "own session": f'setsid bash -c "{IGNORES_TERM}" & wait',
    "double fork": f'(setsid bash -c "{IGNORES_TERM}" & ) ; {FOREVER}',
    "no environment": f'(env -i setsid /bin/bash -c "PATH=$PATH; {IGNORES_TERM}" & ) ; {FOREVER}',
    "stopped": "echo $$ >pid; kill -STOP $$",
    "parent exits first": f"(setsid bash -c \"{IGNORES_TERM}\" & ) ; trap 'exit 0' TERM; {FOREVER}",
    "spawns at TERM": f"trap '{IGNORES_TERM}' TERM; while :; do sleep 0.05; done",
}


@pytest.mark.parametrize("body", PROCESS_TREES.values(), ids=PROCESS_TREES.keys())
def test_interruption_ends_the_whole_process_tree(executor: Executor, component: ScriptFolder, body: str):
    """However a process detaches itself, it is ended with its script; then the lane can be used again."""
    component.script(body)
    pid = component.directory / "pid"
    is_late = "trap 'trap" in body
    observer = stop_after(lambda: is_late or written(pid))
    outcome = run(executor, component.run(), observer)
    assert outcome.exit_kind is ExitKind.INTERRUPTED
    assert not pid.exists() or not is_alive(pid)
    assert len(observer.identities) <= 1
    component.script("exit 4")
    assert run(executor, component.run("req-2")).exit_code == 4


def test_deadline_ends_a_script_with_term(executor: Executor, component: ScriptFolder):
    """A script that cleans up at TERM gets time for it; the outcome has its exit code beside the timeout."""
    component.script("trap 'echo cleaning; exit 9' TERM; echo $$ >pid; while :; do sleep 0.05; done")
    outcome = overrun(executor, component.run(kill_grace_s=60.0))
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.TIMED_OUT, 9)
    assert outcome.output.endswith("cleaning\n")


@pytest.mark.parametrize(("trap", "exit_code"), [("echo cleaned; exit 9", 9), ("", 137)], ids=["TERM", "KILL"])
def test_termination_signals_a_script_before_its_children(
    executor: Executor, component: ScriptFolder, monkeypatch: pytest.MonkeyPatch, trap: str, exit_code: int
):
    """Otherwise the script sees its children end, and continues, or exits without its trap. Signals are slow here."""

    def slowly(process: Process, number: signal.Signals) -> None:
        send_signal(process, number)
        CLOCK.sleep(0.2)

    monkeypatch.setattr(termination, "send_signal", slowly)
    component.script(f"trap '{trap}' TERM; bash -c 'echo $$ >pid; {FOREVER}' & wait $!; touch continued; exit 3")
    outcome = run(executor, component.run(), stop_after(lambda: written(component.directory / "pid")))
    assert outcome.exit_code == exit_code
    assert not (component.directory / "continued").exists()


def test_killed_script_has_exit_code_137(executor: Executor, component: ScriptFolder):
    """KILL follows TERM after the grace period."""
    component.script(IGNORES_TERM)
    outcome = overrun(executor, component.run())
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.TIMED_OUT, 137)


def test_deadline_holds_during_much_output(executor: Executor, component: ScriptFolder):
    """A script that writes to stdout without a pause is still ended in time."""
    component.script("yes PHASE:flood | head -c 400000000 >&1; sleep 600")
    outcome = run(executor, component.run(), within_s=0.5)
    assert outcome.exit_kind is ExitKind.TIMED_OUT


def test_deadline_in_the_past_ends_the_run(executor: Executor, component: ScriptFolder):
    """The run ends at once; the script may or may not have begun."""
    component.script(IGNORES_TERM)
    outcome = run(executor, component.run(), within_s=-1)
    assert outcome.exit_kind is ExitKind.TIMED_OUT
    assert not (component.directory / "pid").exists() or not is_alive(component.directory / "pid")


def test_killed_worker_is_an_interruption(executor: Executor, component: ScriptFolder):
    """No worker records the exit code: the other processes of the run are ended, and the outcome gives the cause."""
    component.script(f'(env -i setsid /bin/bash -c "PATH=$PATH; {IGNORES_TERM}" & ) ; echo $PPID >shell; {FOREVER}')
    shell = component.directory / "shell"
    killed: list[bool] = []

    def kill_once() -> bool:
        if not killed and written(shell) and written(component.directory / "pid"):
            end(shell)
            killed.append(True)
        return False

    outcome = run(executor, component.run(), RecordingRunObserver(stop=kill_once))
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.INTERRUPTED, None)
    assert "killed from outside" in outcome.detail
    assert not is_alive(component.directory / "pid")
    component.script("exit 0")
    assert run(executor, component.run("req-2")).exit_code == 0


def test_exit_code_that_cannot_be_written_is_none(
    executor: Executor, component: ScriptFolder, settings: ExecutorSettings
):
    """The run is interrupted as soon as its worker ends, not timed out later."""
    session_file = settings.runs / id_of() / "1/session"
    component.script(
        f"until [ -e go ]; do sleep 0.1; done; rm {session_file}; ln -s /nowhere/session {session_file}; exit 0"
    )
    observer = RecordingRunObserver()
    observer.started = lambda _identity: (component.directory / "go").touch()
    outcome = run(executor, component.run(), observer)
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.INTERRUPTED, None)
    assert "before it could record" in outcome.detail
    component.script("exit 4")
    assert run(executor, component.run("req-2")).exit_code == 4


def test_lanes_run_concurrently(executor: Executor, component: ScriptFolder):
    """While the script of one lane runs, the script of another starts and ends (I10)."""
    component.script("until [ -e go ]; do sleep 0.1; done; exit 2")
    component.script("touch go", "health-check.sh")
    slow = component.run("slow")
    executor.start(slow)
    assert run(executor, component.run("quick", lane="other", script="health-check.sh")).exit_code == 0
    assert executor.wait(slow, RecordingRunObserver(), deadline=CLOCK.monotonic() + 60).exit_code == 2


def test_scripts_are_outside_the_coordinators_process_group(
    executor: Executor, component: ScriptFolder, tmp_path: Path
):
    """A script has a process group of its own."""
    component.script("ps -o pgid= $$")
    assert int(run(executor, component.run()).output) != os.getpgid(0)
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN


@pytest.mark.parametrize("body", PROCESS_TREES.values(), ids=PROCESS_TREES.keys())
def test_abandon_ends_the_whole_process_tree(executor: Executor, component: ScriptFolder, body: str):
    """No process of the run survives, its outcome is an interruption, and the lane can be used again."""
    pid = component.directory / "pid"
    component.script(body.replace("trap 'trap", "echo $$ >pid; trap 'trap"))
    executor.start(component.run())
    wait_until(lambda: written(pid))
    assert executor.abandon(component.run()) == []
    assert not is_alive(pid)
    assert executor.collect(component.run()).exit_kind is ExitKind.INTERRUPTED
    component.script("exit 4")
    assert run(executor, component.run("req-2")).exit_code == 4


def test_abandon_ends_only_its_own_run(executor: Executor, component: ScriptFolder):
    """The run of another lane continues to its own end."""
    component.script("echo $$ >pid; until [ -e go ]; do sleep 0.1; done; exit 2")
    component.script(f"echo $$ >other; {FOREVER}", "health-check.sh")
    kept, abandoned = component.run("kept"), component.run("abandoned", lane="other", script="health-check.sh")
    executor.start(kept)
    executor.start(abandoned)
    wait_until(lambda: all(map(written, component.pids("pid", "other"))))
    assert executor.abandon(abandoned) == []
    assert [is_alive(pid) for pid in component.pids("pid", "other")] == [True, False]
    (component.directory / "go").touch()
    assert executor.wait(kept, RecordingRunObserver(), deadline=CLOCK.monotonic() + 60).exit_code == 2


def test_abandon_does_not_end_a_service_of_an_ended_run(executor: Executor, component: ScriptFolder):
    """The script had ended before, and had started the service on purpose."""
    component.script("setsid sleep 600 & echo $! >service")
    assert run(executor, component.run()).exit_code == 0
    assert executor.abandon(component.run()) == []
    assert is_alive(component.directory / "service")
    end(component.directory / "service")


def test_abandon_without_readable_files_ends_the_run_and_raises(
    executor: Executor, component: ScriptFolder, settings: ExecutorSettings
):
    """The script is found by its environment; whether it was the whole run is unknown."""
    component.script(f'(env -i setsid bash -c "{IGNORES_TERM}" & ); echo $$ >main; {FOREVER}')
    executor.start(component.run())
    wait_until(lambda: all(map(written, component.pids("pid", "main"))))
    session_file = settings.runs / id_of() / "1/session"
    session_file.unlink()
    session_file.mkdir()
    with pytest.raises(OSError, match="session"):
        executor.abandon(component.run())
    assert not any(map(is_alive, component.pids("pid", "main")))


def test_terminate_returns_the_pids_that_survive_kill():
    """After 500 rounds, 5 s, it returns the pids: processes that the kernel does not end cause no endless loop."""
    clock = SteppedClock()
    unkillable = Process(pid=2**30, parent=1, session=1, start_ticks=1)
    assert terminate(lambda: [unkillable], 3.0, clock) == [unkillable.pid]
    assert clock.monotonic() == pytest.approx(3.0 + 5.0, abs=0.1)


def test_terminate_continues_after_a_process_that_it_may_not_signal(monkeypatch: pytest.MonkeyPatch):
    """A process of another user does not protect those after it, and its pid is returned."""
    foreign, own = subprocess.Popen(["sleep", "600"]), subprocess.Popen(["sleep", "600"])
    signalled = signal.pidfd_send_signal
    processes = {process.pid: stat_process(process.pid) for process in (foreign, own)}

    def fail(descriptor: int, number: int) -> None:
        if f"Pid:\t{foreign.pid}\n" in Path(f"/proc/self/fdinfo/{descriptor}").read_text():
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        signalled(descriptor, number)

    monkeypatch.setattr(signal, "pidfd_send_signal", fail)
    members = lambda: [found for pid in processes if (found := stat_process(pid)) is not None]  # noqa: E731
    assert terminate(members, 0.5, SteppedClock()) == [foreign.pid]
    monkeypatch.undo()
    foreign.kill()
    assert (foreign.wait(), own.wait()) == (-9, -15)


def test_end_run_waits_five_seconds_for_the_exit_code(settings: ExecutorSettings, component: ScriptFolder):
    """The wait for a worker that cannot record the end of its script is bounded; then the worker is killed."""
    worker = subprocess.Popen(["sleep", "600"])
    start_ticks = stat_process(worker.pid).start_ticks
    directory = RunDirectory(settings.runs, component.run())
    directory.prepare()
    (directory.path / "session").write_text(f"{worker.pid} {start_ticks} {worker.pid} {start_ticks}\n")
    clock = SteppedClock()
    assert end_run(directory, clock) == []
    assert worker.wait() == -9
    assert clock.monotonic() == pytest.approx(5.0, abs=0.1)


def test_outcome_lists_the_processes_that_survive_kill(
    executor: Executor, component: ScriptFolder, monkeypatch: pytest.MonkeyPatch
):
    """The detail of the outcome has their pids."""
    monkeypatch.setattr(script_executor, "end_run", lambda *given: [*end_run(*given), 4711, 4712])
    component.script(f"echo $$ >pid; {FOREVER}")
    outcome = overrun(executor, component.run())
    assert (outcome.exit_kind, outcome.detail) == (ExitKind.TIMED_OUT, "processes that survive KILL: 4711, 4712")
