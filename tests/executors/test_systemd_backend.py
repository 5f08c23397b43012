"""The backend ``systemd``: properties of its units, and runs that systemd ends."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from executor_harness import (
    CLOCK,
    FOREVER,
    IGNORES_TERM,
    RecordingRunObserver,
    ScriptFolder,
    end,
    id_of,
    is_alive,
    overrun,
    run,
    start_and_crash,
    stop_after,
    written,
)

from executors.backends import systemd
from executors.interface import CannotStartError, Executor, ExecutorSettings, UnsuitableHostError
from executors.processes import boot_id, unit_members, unit_name, unit_of
from executors.registry import load
from executors.run_directory import RunDirectory
from executors.termination import find_shells
from protocol.types import ExitKind, ProbeResult
from tests.support.polling import wait_until

WAITS = "echo $$ >pid; until [ -e go ]; do sleep 0.1; done; echo done; exit 5"


def systemctl(*arguments: str) -> str:
    """Run systemctl and return its output."""
    return subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False).stdout.strip()


@pytest.fixture
def unit(settings: ExecutorSettings) -> str:
    """The unit of the first attempt of the first request."""
    return unit_name(settings.runs / id_of() / "1")


def test_unit_has_the_name_of_its_request_and_own_limits(
    executor: Executor, component: ScriptFolder, settings: ExecutorSettings, unit: str
):
    """The unit is outside the coordinator's control group; its time and its memory are limited."""
    component.script(WAITS)
    executor.start(component.run(timeout_s=7, kill_grace_s=3))
    wait_until(lambda: written(component.directory / "pid"))
    shown = dict(
        line.split("=", 1)
        for line in systemctl("show", unit, "--property=MemoryMax,RuntimeMaxUSec,TasksMax,ActiveState").splitlines()
    )
    assert unit.startswith(f"dunebugger-request-{id_of()}-1-")
    assert shown == {
        "MemoryMax": str(64 * 1024 * 1024),
        "RuntimeMaxUSec": "40s",
        "TasksMax": "4096",
        "ActiveState": "active",
    }
    assert unit_of(int((component.directory / "pid").read_text())) == unit
    assert unit_of(os.getpid()) is None
    (component.directory / "go").touch()
    assert executor.wait(component.run(), RecordingRunObserver(), deadline=CLOCK.monotonic() + 60).exit_code == 5
    wait_until(lambda: systemctl("show", unit, "--property=LoadState") == "LoadState=not-found")


def test_drop_in_sets_limits_for_all_runs(executor: Executor, component: ScriptFolder, unit: str):
    """It applies to the common prefix of the units, as docs/operations.md says."""
    drop_in = Path("/run/systemd/system/dunebugger-request-.service.d/limits.conf")
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nCPUQuota=50%\n")
    systemctl("daemon-reload")
    component.script(WAITS)
    executor.start(component.run())
    wait_until(lambda: written(component.directory / "pid"))
    shown = systemctl("show", unit, "--property=CPUQuotaPerSecUSec")
    (component.directory / "go").touch()
    assert executor.wait(component.run(), RecordingRunObserver(), deadline=CLOCK.monotonic() + 60).exit_code == 5
    shutil.rmtree(drop_in.parent)
    systemctl("daemon-reload")
    assert shown == "CPUQuotaPerSecUSec=500ms"


def test_stopping_coordinator_detaches_from_its_run(
    executor: Executor, component: ScriptFolder, settings: ExecutorSettings
):
    """The wait ends at once, the script continues, and the next coordinator adopts it."""
    component.script(WAITS)
    observer = RecordingRunObserver(detach=lambda: written(component.directory / "pid"))
    assert run(executor, component.run(), observer) is None
    executor.close()
    successor = load("systemd").create(settings, CLOCK)
    assert successor.probe(component.run(), observer.identities[0], boot_id()) is ProbeResult.ALIVE
    (component.directory / "go").touch()
    outcome = successor.wait(component.run(), RecordingRunObserver(), deadline=CLOCK.monotonic() + 60)
    assert (outcome.exit_kind, outcome.exit_code, outcome.output) == (ExitKind.EXITED, 5, "done\n")


def test_run_of_the_sh_backend_is_adopted(executor: Executor, component: ScriptFolder, settings: ExecutorSettings):
    """The configuration may change while a script runs."""
    component.script(WAITS)
    identity = start_and_crash(settings, component.run(), "pid", executor="sh")
    assert executor.probe(component.run(), identity, boot_id()) is ProbeResult.ALIVE
    (component.directory / "go").touch()
    # The executor does not detach from it: it may be in the control group of a coordinator that stops.
    observer = RecordingRunObserver(detach=lambda: True)
    assert executor.wait(component.run(), observer, deadline=CLOCK.monotonic() + 60).exit_code == 5


def test_run_in_a_unit_is_adopted_by_the_sh_backend(component: ScriptFolder, settings: ExecutorSettings):
    """The sh backend also ends it at its deadline."""
    component.script(f'(setsid bash -c "{IGNORES_TERM}" & ); echo $$ >main; {FOREVER}')
    identity = start_and_crash(settings, component.run(), "pid", "main")
    other = load("sh").create(settings, CLOCK)
    assert other.probe(component.run(), identity, boot_id()) is ProbeResult.ALIVE
    outcome = other.wait(component.run(), RecordingRunObserver(), deadline=CLOCK.monotonic())
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.TIMED_OUT, 143)
    assert not any(map(is_alive, component.pids("pid", "main")))


@pytest.mark.parametrize(("how", "exit_kind"), [("stop", "interrupted"), ("cap", "timed_out")])
def test_systemd_ends_a_whole_run_without_coordinator(
    component: ScriptFolder,
    settings: ExecutorSettings,
    monkeypatch: pytest.MonkeyPatch,
    unit: str,
    how: str,
    exit_kind: str,
):
    """When the unit is stopped, or exceeds its time, all processes get TERM, then KILL, and the reason is recorded."""
    monkeypatch.setattr(systemd, "_CAP_SLACK_S", -5 if how == "cap" else 60)
    component.script(
        f'(setsid bash -c "{IGNORES_TERM}" & ); trap "echo cleaned >cleaned; exit 7" TERM; echo $$ >main; '
        f"{FOREVER} & wait"
    )
    script_run = component.run(timeout_s=12.0, kill_grace_s=5.0)  # time to begin and to clean up on a busy machine
    identity = start_and_crash(settings, script_run, "pid", "main")
    if how == "stop":
        systemctl("stop", unit)
    wait_until(lambda: systemctl("show", unit, "--property=LoadState") == "LoadState=not-found")
    assert written(component.directory / "cleaned")
    assert not is_alive(component.directory / "pid")
    successor = load("systemd").create(settings, CLOCK)
    assert successor.probe(script_run, identity, boot_id()) is ProbeResult.ENDED
    outcome = successor.collect(script_run)
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind(exit_kind), 7)


def test_stopped_unit_is_an_interruption(executor: Executor, component: ScriptFolder, unit: str):
    """An operator's ``systemctl stop`` is an interruption, not a failure of the script.

    Processes that the script leaves behind then are no service: they are ended before the next script begins (I10).
    """
    component.script(f'(setsid bash -c "{IGNORES_TERM}" & ); trap "exit 7" TERM; echo $$ >main; {FOREVER} & wait')
    stopped: list[subprocess.Popen[bytes]] = []

    def stop_once() -> bool:
        if not stopped and all(map(written, component.pids("pid", "main"))):
            stopped.append(subprocess.Popen(["systemctl", "stop", unit]))
        return False

    outcome = run(executor, component.run(kill_grace_s=2.0), RecordingRunObserver(stop=stop_once))
    assert not is_alive(component.directory / "pid")
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.INTERRUPTED, 7)
    stopped[0].wait()


def test_killed_worker_ends_its_unit(component: ScriptFolder, settings: ExecutorSettings, unit: str):
    """Even without a coordinator, systemd ends the unit of a worker that was killed."""
    component.script(f'echo $PPID >shell; (setsid bash -c "{IGNORES_TERM}" & ); {FOREVER}')
    identity = start_and_crash(settings, component.run(), "pid", "shell")
    end(component.directory / "shell")
    wait_until(lambda: systemctl("show", unit, "--property=LoadState") == "LoadState=not-found")
    assert not is_alive(component.directory / "pid")
    successor = load("systemd").create(settings, CLOCK)
    assert successor.probe(component.run(), identity, boot_id()) is ProbeResult.UNKNOWN
    assert successor.collect(component.run()).exit_kind is ExitKind.INTERRUPTED


def test_processes_moved_to_another_unit_are_ended(executor: Executor, component: ScriptFolder):
    """``su`` moves processes to other units; they still descend from the worker."""
    component.script(f"echo $$ >main; systemd-run --quiet --scope bash -c 'echo $$ >pid; {FOREVER}'")
    observer = stop_after(lambda: written(component.directory / "pid"))
    assert run(executor, component.run(), observer).exit_kind is ExitKind.INTERRUPTED
    assert not any(map(is_alive, component.pids("main", "pid")))


def test_units_of_two_coordinators_are_distinct(
    executor: Executor, component: ScriptFolder, others: tuple[ExecutorSettings, ScriptFolder]
):
    """Each coordinator ends its own run of the same request id."""
    settings, other = others
    other.script(f"echo $$ >pid; {FOREVER}")
    component.script(f"(setsid bash -c 'echo $$ >far; {FOREVER}' & ); {FOREVER}")
    start_and_crash(settings, other.run(), "pid")
    outcome = run(executor, component.run(), stop_after(lambda: written(component.directory / "far")))
    assert outcome.exit_kind is ExitKind.INTERRUPTED
    assert not is_alive(component.directory / "far")
    assert is_alive(other.directory / "pid")


def test_unit_does_not_start_a_revoked_run(executor: Executor, component: ScriptFolder, settings: ExecutorSettings):
    """A unit that starts after its coordinator gave up the start finds the revocation, and ends."""
    component.script("touch ran")
    script_run = component.run()
    directory = RunDirectory(settings.runs, script_run)
    directory.prepare()
    assert directory.revoke()
    systemd.UnitSpawner(settings.runs, CLOCK).spawn(directory)
    wait_until(lambda: not unit_members(unit_name(directory.path)))
    assert not (component.directory / "ran").exists()
    assert executor.probe(script_run, None, boot_id()) is ProbeResult.NEVER_STARTED


def test_unit_quotes_special_characters(component: ScriptFolder, tmp_path: Path):
    """Dollars, percent signs, quotes and backslashes in a path reach the shell unchanged."""
    odd = ExecutorSettings(tmp_path / "runs $HOME ${PATH} $$ 100%n \"q\" 'a' b\\n;x", 4096)
    made = load("systemd").create(odd, CLOCK)
    component.script("exit 3")
    assert run(made, component.run()).exit_code == 3
    component.script(f"echo $$ >pid; {FOREVER}")
    identity = start_and_crash(odd, component.run("req-2"), "pid")
    assert find_shells(odd.runs), "the shells have another mark"
    systemctl("stop", unit_name(odd.runs / id_of("req-2") / "1"))
    assert made.probe(component.run("req-2"), identity, boot_id()) is ProbeResult.ENDED
    assert made.collect(component.run("req-2")).exit_kind is ExitKind.INTERRUPTED


def test_longest_request_id_has_a_unit(executor: Executor, component: ScriptFolder):
    """The id has 128 characters, with every allowed kind among them."""
    component.script("exit 4")
    assert run(executor, component.run("a" * 100 + "._-B" * 7)).exit_code == 4


def test_unit_with_a_memory_limit_runs(executor: Executor, component: ScriptFolder):
    """The unit has the limit: where the kernel enforces it, only the child that exceeded it is killed."""
    component.script("exit 0")
    script_run = replace(component.run(), memory_bytes=16 * 1024 * 1024)
    assert run(executor, script_run).exit_code == 0


def test_start_fails_with_the_message_of_systemd(
    executor: Executor, component: ScriptFolder, settings: ExecutorSettings, unit: str
):
    """Nothing was started, and nothing will be started."""
    subprocess.run(["systemd-run", "--quiet", f"--unit={unit}", "sleep", "600"], check=True)
    component.script("touch ran")
    with pytest.raises(CannotStartError, match=f"cannot start update.sh: systemd does not start {unit}: .*already"):
        executor.start(component.run())
    assert executor.probe(component.run(), None, boot_id()) is ProbeResult.NEVER_STARTED
    systemctl("stop", unit)


def test_host_without_systemd_is_unsuitable(
    settings: ExecutorSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """The message names the remedy."""
    monkeypatch.setattr(systemd, "_BOOTED", tmp_path / "not here")
    with pytest.raises(UnsuitableHostError, match=r'cannot use executor = "systemd": .* set executor = "sh"'):
        load("systemd").create(settings, CLOCK)


def test_service_left_behind_outlives_its_unit(executor: Executor, component: ScriptFolder, unit: str):
    """It also survives the executor's next timeout."""
    component.script("setsid bash -c 'echo $$ >pid; exec sleep 600' & until [ -s pid ]; do sleep 0.1; done")
    assert run(executor, component.run()).exit_code == 0
    wait_until(lambda: systemctl("show", unit, "--property=ActiveState") == "ActiveState=inactive")
    component.script(f"echo $$ >later; {FOREVER}")
    assert overrun(executor, component.run("req-2"), marker="later").exit_kind is ExitKind.TIMED_OUT
    assert is_alive(component.directory / "pid")
    shutil.rmtree(component.directory)
