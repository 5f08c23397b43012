"""Starts that fail completely or partly."""

from __future__ import annotations

import errno
import os
import pwd
import resource
import threading
from pathlib import Path
from timeit import timeit

import pytest
from executor_harness import CLOCK, EXECUTOR, ScriptFolder, run
from sh import Command

from executors.backends import systemd
from executors.interface import CannotStartError, Executor, ExecutorSettings
from executors.processes import boot_id
from executors.registry import load
from executors.run_directory import RunDirectory
from executors.script_executor import ScriptExecutor
from protocol.types import ExitKind, ProbeResult


def test_start_rejects_a_second_start_of_an_attempt(executor: Executor, component: ScriptFolder):
    """An attempt starts at most once (I3)."""
    component.script("echo ran >>count")
    run(executor, component.run())
    with pytest.raises(CannotStartError, match="cannot start"):
        executor.start(component.run())
    assert (component.directory / "count").read_text() == "ran\n"


def test_start_fails_when_the_directory_cannot_be_created(component: ScriptFolder, settings: ExecutorSettings):
    """Without its directory a run does not start."""
    settings.runs.write_text("not a directory")
    made = load(EXECUTOR).create(settings, CLOCK)
    with pytest.raises(CannotStartError, match=r"cannot start update\.sh"):
        made.start(component.run())


def test_start_fails_without_descriptors(component: ScriptFolder, settings: ExecutorSettings):
    """After EMFILE the attempt stays revoked."""
    component.script("touch ran")
    made = load(EXECUTOR).create(settings, CLOCK)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + 2, hard))
    try:
        with pytest.raises(CannotStartError):
            made.start(component.run())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert run(made, component.run(attempt=2)).exit_code == 0
    made.close()


@pytest.mark.parametrize(
    ("owner", "name", "error", "message"),
    [
        # the C library does not distinguish an unknown user from an unreadable /etc/passwd
        (pwd, "getpwuid", KeyError("getpwuid(): uid not found: 0"), "cannot find the home"),
        # sh starts threads for the streams
        (threading.Thread, "start", RuntimeError("can't start new thread"), "can't start new thread"),
        # the child makes both calls, and reports the error by a traceback, of which the message has one line
        (os, "setsid", OSError(errno.ENOMEM, "Cannot allocate memory"), "OSError: .* Cannot allocate memory"),
        (
            os,
            "execve",
            OSError(errno.EIO, "Input/output error"),
            "OSError: .* Input/output error",
        ),
    ],
    ids=["unreadable user list", "no thread", "no memory in the child", "unreadable shell in the child"],
)
def test_start_fails_without_resources_of_the_host(
    component: ScriptFolder,
    settings: ExecutorSettings,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    error: Exception,
    message: str,
):
    """As after a failed fork, nothing was started, and the next attempt may succeed."""

    def fail(*_arguments: object) -> None:
        raise error

    component.script("touch ran")
    made = load(EXECUTOR).create(settings, CLOCK)
    monkeypatch.setattr(owner, name, fail)
    with pytest.raises(CannotStartError, match=message):
        made.start(component.run())
    monkeypatch.undo()
    assert run(made, component.run(attempt=2)).exit_code == 0
    made.close()


def test_unopenable_stream_gives_no_exit_code(
    executor: Executor, component: ScriptFolder, monkeypatch: pytest.MonkeyPatch
):
    """The script never ran: the shell's failure to open a stream is not the script's exit code (I1)."""
    prepare = RunDirectory.prepare

    def prepare_badly(self: RunDirectory) -> None:
        prepare(self)
        Path(self.stdout).unlink()
        Path(self.stdout).symlink_to("/nowhere/stdout")

    monkeypatch.setattr(RunDirectory, "prepare", prepare_badly)
    component.script("touch ran")
    outcome = run(executor, component.run())
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.INTERRUPTED, None)
    assert not (component.directory / "ran").exists()
    monkeypatch.undo()
    assert run(executor, component.run("req-2")).exit_code == 0


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_partly_readable_command_is_not_run(
    executor: Executor, component: ScriptFolder, monkeypatch: pytest.MonkeyPatch, share: float
):
    """To a shell a read error ends the file: it runs neither that part nor the previous command (I1, I6)."""
    prepare = RunDirectory.prepare

    def prepare_badly(self: RunDirectory) -> None:
        prepare(self)
        command = self.path / "command"
        os.truncate(command, int(command.stat().st_size * share))

    component.script('echo "$1" >>ran')
    run(executor, component.run())
    monkeypatch.setattr(RunDirectory, "prepare", prepare_badly)
    outcome = run(executor, component.run("req-2", arguments=("1.2.3-" + "x" * 100_000,)))
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.INTERRUPTED, None)
    monkeypatch.undo()
    assert run(executor, component.run("req-3")).exit_code == 0
    assert (component.directory / "ran").read_text() == "1.2.3\n" * 2


def test_partly_written_claim_is_not_a_revocation(
    executor: Executor, component: ScriptFolder, monkeypatch: pytest.MonkeyPatch
):
    """A worker that does not find its claim in the first line ends, so that ``wait`` does not wait for it (I1)."""
    prepare = RunDirectory.prepare

    def prepare_badly(self: RunDirectory) -> None:
        prepare(self)
        (self.path / "session").write_text("1 ")  # the part that a full disk accepted

    component.script("touch ran")
    monkeypatch.setattr(RunDirectory, "prepare", prepare_badly)
    outcome = run(executor, component.run())
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.NOT_STARTED, None)
    assert not (component.directory / "ran").exists()
    monkeypatch.undo()
    assert run(executor, component.run("req-2")).exit_code == 0


def test_missing_component_directory_gives_no_exit_code(executor: Executor, component: ScriptFolder):
    """The script does not run in another directory; the shell's message is kept, its exit code is not (I1)."""
    component.directory.rmdir()
    outcome = run(executor, component.run())
    assert (outcome.exit_kind, outcome.exit_code, outcome.output) == (ExitKind.INTERRUPTED, None, "")
    assert "cd" in outcome.error
    component.directory.mkdir()
    component.script("exit 0")
    assert run(executor, component.run("req-2")).exit_code == 0


def fake_systemd_run(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Make ``systemd-run`` a script."""
    path = folder / "systemd-run"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_start_fails_when_systemd_does_not_answer(
    component: ScriptFolder, settings: ExecutorSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """The time for systemd-run is bounded; the attempt stays revoked (I16)."""
    fake_systemd_run(tmp_path, monkeypatch, "exec sleep 600")
    monkeypatch.setattr(systemd, "_SPAWN_S", 0.3)
    made = ScriptExecutor(settings, CLOCK, systemd.UnitSpawner(settings.runs, CLOCK))
    with pytest.raises(CannotStartError, match=r"cannot start update.sh: systemd does not start .* within 0.3 seconds"):
        made.start(component.run())
    assert made.probe(component.run(), None, boot_id()) is ProbeResult.NEVER_STARTED


def test_start_reports_why_systemd_rejects_the_unit(
    component: ScriptFolder, settings: ExecutorSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """The error quotes systemd-run."""
    fake_systemd_run(tmp_path, monkeypatch, "echo 'Unit is masked.' >&2; exit 1")
    made = ScriptExecutor(settings, CLOCK, systemd.UnitSpawner(settings.runs, CLOCK))
    with pytest.raises(CannotStartError, match=r"cannot start update.sh: systemd does not start .*: Unit is masked\."):
        made.start(component.run())


def test_start_notices_at_once_that_systemd_run_has_ended(
    component: ScriptFolder, settings: ExecutorSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """The bound on its time does not delay every start: one takes about as long as any other command."""
    fake_systemd_run(tmp_path, monkeypatch, "exit 0")
    made = ScriptExecutor(settings, CLOCK, systemd.UnitSpawner(settings.runs, CLOCK))
    starts, floors = [], []
    for number in range(7):
        starts.append(timeit(lambda: made.start(component.run(f"req-{number}")), number=1))  # noqa: B023
        floors.append(timeit(Command(str(tmp_path / "systemd-run")), number=1))
    assert min(starts) < 5 * min(floors)
