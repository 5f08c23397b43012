"""Runs of scripts that no coordinator ends: exit codes, environment, output, files."""

from __future__ import annotations

import os
import pwd
import resource
import signal
import stat
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path

import pytest
from executor_harness import RecordingRunObserver, ScriptFolder, end, id_of, is_alive, overrun, run, written

from executors.interface import Executor, ExecutorSettings, ProgressReport
from executors.run_directory import Claim, RunDirectory
from protocol.types import ExitKind
from tests.support.polling import wait_until


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("exit 0", 0),
        ("exit 1", 1),
        ("exit 193", 193),
        ("exit 255", 255),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
        ("kill -SEGV $$", 139),
        ("no-such-program", 127),
        ("trap 'kill 0' EXIT; trap 'exit 7' TERM; exit 3", 7),
        ("kill -PIPE $$", 141),
    ],
)
def test_exit_code_is_that_of_the_script(executor: Executor, component: ScriptFolder, body: str, code: int):
    """The outcome has the exit code, 128 + n when signal n ended the script, also signals to its own group."""
    component.script(body)
    outcome = run(executor, component.run())
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.EXITED, code)


def test_script_removed_after_vetting_exits_127(executor: Executor, component: ScriptFolder):
    """Shell conventions: 127 for no such file, with the shell's message as error."""
    outcome = run(executor, component.run())
    assert outcome.exit_code == 127
    assert "not found" in outcome.error


def test_script_has_the_documented_environment(
    executor: Executor, component: ScriptFolder, monkeypatch: pytest.MonkeyPatch
):
    """Nothing of the coordinator's environment leaks into a script, nor of the lane's previous one."""
    monkeypatch.setenv("COORDINATOR_SECRET", "x")
    component.script("export LEAK=1; env")
    run(executor, component.run("earlier", rollback_of="req-0"))
    lines = dict(line.split("=", 1) for line in run(executor, component.run()).output.splitlines())
    shells_own = {name: lines.pop(name, None) for name in ("PWD", "SHLVL", "_")}
    assert shells_own["PWD"] == str(component.directory)
    assert lines == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": pwd.getpwuid(os.geteuid()).pw_dir,
        "LANG": "C.UTF-8",
        "LEAK": "1",
        "UPDATE_REQUEST_ID": id_of(),
        "UPDATE_COMPONENT": "remote",
        "UPDATE_ACTION": "update",
        "UPDATE_VERSION": "1.2.3",
        "UPDATE_ROLLBACK_OF": "",
    }


def test_arguments_reach_the_script_unchanged(executor: Executor, component: ScriptFolder):
    """No character is interpreted by a shell on the way."""
    special = "$(touch created) `x` 'a' \"b\" \\ * ; \n é"
    component.script('printf "%s|" "$0" "$@" "$UPDATE_VERSION"')
    outcome = run(executor, component.run(arguments=(special, "", "-n"), version=special))
    assert outcome.output == f"{component.directory}/update.sh|{special}||-n|{special}|"
    assert [file.name for file in component.directory.iterdir()] == ["update.sh"]


def test_script_has_empty_stdin_default_signals_and_no_other_descriptor(executor: Executor, component: ScriptFolder):
    """The script reads end of file at once, ignores no signal, and inherits no descriptor."""
    component.script("cat; grep -E 'Sig(Blk|Ign)' /proc/self/status; ls /proc/$$/fd")
    words = run(executor, component.run()).output.split()
    ours = sum(1 << (number - 1) for number in signal.valid_signals())  # without the two that libc reserves
    assert [words[0], words[2]] == ["SigBlk:", "SigIgn:"]
    assert [int(mask, 16) & ours for mask in (words[1], words[3])] == [0, 0]
    assert set(words[4:]) <= {"0", "1", "2", "255"}  # 255 is bash's own, of its script


def test_script_runs_in_the_posix_session_of_its_worker(executor: Executor, component: ScriptFolder):
    """Signals to the coordinator's session do not reach the script."""
    component.script("ps -o sid= $$")
    observer = RecordingRunObserver()
    outcome = run(executor, component.run(), observer)
    assert [int(outcome.output)] == [identity.pid for identity in observer.identities]
    assert int(outcome.output) != os.getsid(0)


def test_binary_output_becomes_text(executor: Executor, component: ScriptFolder):
    """Undecodable bytes become U+FFFD; the streams are separate."""
    component.script(r"printf 'a\xff\x00b'; printf 'e\xfe' >&2")
    outcome = run(executor, component.run())
    assert (outcome.output, outcome.error) == ("a\ufffd\0b", "e\ufffd")


def test_large_output_is_bounded(executor: Executor, component: ScriptFolder, settings: ExecutorSettings):
    """64 MiB of output give an excerpt and a complete log, and do not grow our memory (I12)."""
    component.script("echo first; head -c 67108864 /dev/zero | tr '\\0' x; echo; echo PHASE:last; echo last")
    observer = RecordingRunObserver()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = run(executor, component.run(), observer)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024
    assert outcome.output.startswith("first\n")
    assert outcome.output.endswith("last\n")
    assert len(outcome.output) < settings.output_bytes + 500
    assert {report.phase for report in observer.reports} == {None, "last"}
    assert max(len(report.output) for report in observer.reports) <= 4096
    assert observer.reports[-1].output == "PHASE:last\nlast\n"
    executor.cleanup(id_of())
    assert (settings.runs / id_of() / "1/stdout").stat().st_size > 67108864
    assert [file.name for file in (settings.runs / id_of() / "1").iterdir()] == ["stdout"]


def test_cleanup_removes_small_runs(executor: Executor, component: ScriptFolder, settings: ExecutorSettings):
    """Files that an outcome quotes completely are not kept."""
    component.script("echo ok")
    run(executor, component.run(attempt=1))
    run(executor, component.run(attempt=2))
    executor.cleanup(id_of())
    assert list(settings.runs.iterdir()) == []


def test_observer_gets_phases_while_the_script_runs(executor: Executor, component: ScriptFolder):
    """Each change is reported, after the process itself."""
    component.script("echo PHASE:pull; until [ -e go ]; do sleep 0.1; done; echo PROGRESS:100; echo PHASE:done")
    observer = RecordingRunObserver()
    go = component.directory / "go"
    observer.stop = lambda: observer.reports[-1].phase == "pull" and bool(go.touch())  # lets the script continue
    run(executor, component.run(), observer)
    assert len(observer.identities) == 1
    assert (observer.reports[1].phase, observer.reports[1].percent) == ("pull", None)
    assert (observer.reports[-1].phase, observer.reports[-1].percent) == ("done", 100)


def test_observer_gets_output_while_the_script_runs(executor: Executor, component: ScriptFolder):
    """The ends of both streams are reported, also without a phase."""
    component.script("echo one; echo two >&2; until [ -e go ]; do sleep 0.1; done; echo three")
    observer = RecordingRunObserver()
    go = component.directory / "go"
    expected = ProgressReport(output="one\n", error="two\n")
    observer.stop = lambda: observer.reports[-1] == expected and bool(go.touch())  # lets the script continue
    run(executor, component.run(), observer)
    assert expected in observer.reports
    assert observer.reports[-1] == ProgressReport(output="one\nthree\n", error="two\n")


def test_observer_gets_a_report_at_every_check(executor: Executor, component: ScriptFolder):
    """An observer that delays a report gets it again, although nothing has changed."""
    component.script("echo one; until [ -e go ]; do sleep 0.1; done")
    observer = RecordingRunObserver()
    received: list[ProgressReport] = []
    observer.reported = received.append  # type: ignore[method-assign]
    go = component.directory / "go"
    observer.stop = lambda: received[-5:] == [ProgressReport(output="one\n")] * 5 and bool(go.touch())
    run(executor, component.run(), observer)
    assert go.exists()


def test_run_ends_while_a_background_child_holds_stdout(executor: Executor, component: ScriptFolder):
    """The run ends with the script."""
    component.script("sleep 600 & echo $! >pid; echo ok")
    outcome = run(executor, component.run())
    (child,) = component.pids("pid")
    assert (outcome.exit_code, outcome.output, is_alive(child)) == (0, "ok\n", True)
    end(child)


def _miss_the_whole_run(directory: RunDirectory) -> None:
    """Simulate a busy machine: the first check for a claim gets no processor time until the script has ended."""
    wait_until(lambda: directory.exit_code() is not None)


@pytest.mark.parametrize("missed", [(), (_miss_the_whole_run,)], ids=["in time", "too late"])
def test_service_left_behind_survives_a_later_timeout(
    executor: Executor,
    component: ScriptFolder,
    missed: tuple[Callable[[RunDirectory], None], ...],
    monkeypatch: pytest.MonkeyPatch,
):
    """A later timeout, also of the same request, ends only what its own run started."""
    component.script("setsid sleep 600 & echo $! >service; sleep 600 & echo $! >sibling")
    component.script("echo $$ >pid; sleep 600", "health-check.sh")
    observer = RecordingRunObserver()
    checks = chain(missed, repeat(RunDirectory.claim))

    def claim(directory: RunDirectory) -> Claim | None:
        return next(checks)(directory)

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "claim", claim)
        assert run(executor, component.run(), observer).exit_code == 0
    outcome = overrun(executor, component.run(attempt=2, script="health-check.sh"))
    assert outcome.exit_kind is ExitKind.TIMED_OUT
    executor.close()
    service, sibling, slow = component.pids("service", "sibling", "pid")
    assert [is_alive(service), is_alive(sibling), is_alive(slow)] == [True, True, False]
    assert len(observer.identities) == 1
    end(service)
    end(sibling)


def test_run_directory_is_private(executor: Executor, component: ScriptFolder, settings: ExecutorSettings):
    """Logs may contain secrets: only the coordinator's user has access."""
    component.script("true")
    run(executor, component.run())
    assert stat.S_IMODE((settings.runs / id_of() / "1").stat().st_mode) == 0o700


def test_close_leaves_no_descriptor_open(executor: Executor, component: ScriptFolder):
    """Any number of runs, launchers and timeouts hold no descriptors once closed (I12)."""
    component.script("sleep 600 & echo $! >pid")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(3):
        run(executor, component.run(f"req-{number}"))
        end(component.directory / "pid")
        wait_until(lambda: not is_alive(component.directory / "pid"))
    executor.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_close_does_not_end_a_running_script(executor: Executor, component: ScriptFolder):
    """The script continues to its end, which is recorded."""
    component.script("echo $$ >pid; until [ -e go ]; do sleep 0.1; done; echo done >result")
    executor.start(component.run())
    wait_until(lambda: written(component.directory / "pid"))
    executor.close()
    (component.directory / "go").touch()
    wait_until(lambda: written(component.directory / "result"))
