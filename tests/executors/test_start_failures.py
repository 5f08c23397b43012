"""Scripts that cannot be started, or of which nobody can say that they were."""

from __future__ import annotations

import errno
import os
import pwd
import resource
import threading
from pathlib import Path

import pytest
from executor_harness import CLOCK, EXECUTOR, Component, run

from executors.interface import CannotStartError, Executor, ExecutorSettings
from executors.registry import load
from executors.run_directory import RunDirectory
from protocol.types import ExitKind


def test_an_attempt_starts_once(executor: Executor, component: Component):
    """A second start of the same attempt is refused (I3)."""
    component.script("echo ran >>count")
    run(executor, component.run())
    with pytest.raises(CannotStartError, match="cannot start"):
        executor.start(component.run())
    assert (component.directory / "count").read_text() == "ran\n"


def test_what_cannot_be_written_does_not_start(component: Component, settings: ExecutorSettings):
    """A disk that refuses the run's directory refuses the run."""
    settings.runs.write_text("in the way")
    made = load(EXECUTOR).create(settings, CLOCK)
    with pytest.raises(CannotStartError, match=r"cannot start update\.sh"):
        made.start(component.run())


def test_without_descriptors_nothing_starts(component: Component, settings: ExecutorSettings):
    """EMFILE is a refusal, and the attempt stays revoked afterwards."""
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
    ("owner", "name", "error", "told"),
    [
        # the C library does not tell an unknown user from a list that cannot be read
        (pwd, "getpwuid", KeyError("getpwuid(): uid not found: 0"), "cannot find the home"),
        # sh starts threads for the streams
        (threading.Thread, "start", RuntimeError("can't start new thread"), "can't start new thread"),
        # the child makes both calls, and tells of the error by a traceback, of which one line is told
        (os, "setsid", OSError(errno.ENOMEM, "Cannot allocate memory"), "OSError: .* Cannot allocate memory"),
        (
            os,
            "execve",
            OSError(errno.EIO, "Input/output error"),
            "OSError: .* Input/output error",
        ),
    ],
    ids=["no list of users", "no room for a thread", "no room in the child", "no shell for the child"],
)
def test_a_host_that_lacks_what_a_start_takes_refuses(
    component: Component,
    settings: ExecutorSettings,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    error: Exception,
    told: str,
):
    """Like one that cannot fork: nothing was started, and the next try may go well."""

    def refuse(*_arguments: object) -> None:
        raise error

    component.script("touch ran")
    made = load(EXECUTOR).create(settings, CLOCK)
    monkeypatch.setattr(owner, name, refuse)
    with pytest.raises(CannotStartError, match=told):
        made.start(component.run())
    monkeypatch.undo()
    assert run(made, component.run(attempt=2)).exit_code == 0
    made.close()


def test_a_script_whose_output_cannot_be_opened_has_no_exit_code(
    executor: Executor, component: Component, monkeypatch: pytest.MonkeyPatch
):
    """It never ran: the shell's failure to open a stream must not be told as the script's own end (I1)."""
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
def test_a_command_of_which_only_a_part_can_be_read_is_not_run(
    executor: Executor, component: Component, monkeypatch: pytest.MonkeyPatch, share: float
):
    """To a shell a failing read ends the file: neither that part is run, nor the last command (I1, I6)."""
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


def test_a_claim_that_fails_halfway_is_not_taken_for_a_revocation(
    executor: Executor, component: Component, monkeypatch: pytest.MonkeyPatch
):
    """A shell that does not read its own claim in the file's first line ends, lest someone wait for it (I1)."""
    prepare = RunDirectory.prepare

    def prepare_badly(self: RunDirectory) -> None:
        prepare(self)
        (self.path / "session").write_text("1 ")  # as much as a full disk took

    component.script("touch ran")
    monkeypatch.setattr(RunDirectory, "prepare", prepare_badly)
    outcome = run(executor, component.run())
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.NOT_STARTED, None)
    assert not (component.directory / "ran").exists()
    monkeypatch.undo()
    assert run(executor, component.run("req-2")).exit_code == 0


def test_a_script_whose_directory_cannot_be_entered_has_no_exit_code(executor: Executor, component: Component):
    """It never ran, and runs in no other directory instead; the shell's words stay, its exit code is not told (I1)."""
    component.directory.rmdir()
    outcome = run(executor, component.run())
    assert (outcome.exit_kind, outcome.exit_code, outcome.output) == (ExitKind.INTERRUPTED, None, "")
    assert "cd" in outcome.error
    component.directory.mkdir()
    component.script("exit 0")
    assert run(executor, component.run("req-2")).exit_code == 0
