"""Scripts that end by themselves."""

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
from executor_harness import Component, RecordingObserver, end, id_of, lives, overrun, run, until, written

from executors.interface import Executor, ExecutorSettings, ProgressReport
from executors.run_directory import Claim, RunDirectory
from protocol.types import ExitKind


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("exit 0", 0),
        ("exit 1", 1),
        ("exit 255", 255),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
        ("kill -SEGV $$", 139),
        ("no-such-program", 127),
        ("trap 'kill 0' EXIT; trap 'exit 7' TERM; exit 3", 7),
        ("kill -PIPE $$", 141),
    ],
)
def test_the_exit_code_is_the_scripts_own(executor: Executor, component: Component, body: str, code: int):
    """The outcome carries the exit code, 128 + n when signal n ended the script, its own group's signals included."""
    component.script(body)
    outcome = run(executor, component.run())
    assert (outcome.exit_kind, outcome.exit_code) == (ExitKind.EXITED, code)


def test_a_script_that_vanished_after_vetting_tells_by_its_exit_code(executor: Executor, component: Component):
    """Shell conventions: 127 for no such file, with the shell's words as error."""
    outcome = run(executor, component.run())
    assert outcome.exit_code == 127
    assert "not found" in outcome.error


def test_the_environment_is_exactly_the_documented_one(
    executor: Executor, component: Component, monkeypatch: pytest.MonkeyPatch
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


def test_arguments_and_values_reach_the_script_unchanged(executor: Executor, component: Component):
    """No character means anything to a shell on the way."""
    nasty = "$(touch hacked) `x` 'a' \"b\" \\ * ; \n é"
    component.script('printf "%s|" "$0" "$@" "$UPDATE_VERSION"')
    outcome = run(executor, component.run(arguments=(nasty, "", "-n"), version=nasty))
    assert outcome.output == f"{component.directory}/update.sh|{nasty}||-n|{nasty}|"
    assert [file.name for file in component.directory.iterdir()] == ["update.sh"]


def test_a_script_gets_stdin_closed_default_signals_and_no_other_descriptor(executor: Executor, component: Component):
    """It reads end of file at once, ignores no signal, and holds nothing of ours."""
    component.script("cat; grep -E 'Sig(Blk|Ign)' /proc/self/status; ls /proc/$$/fd")
    words = run(executor, component.run()).output.split()
    ours = sum(1 << (number - 1) for number in signal.valid_signals())  # without the two that libc keeps to itself
    assert [words[0], words[2]] == ["SigBlk:", "SigIgn:"]
    assert [int(mask, 16) & ours for mask in (words[1], words[3])] == [0, 0]
    assert set(words[4:]) <= {"0", "1", "2", "255"}  # 255 is bash's own, of its script


def test_each_script_runs_in_a_session_that_is_not_ours(executor: Executor, component: Component):
    """Signals to the coordinator's group or session do not reach it."""
    component.script("ps -o sid= $$")
    observer = RecordingObserver()
    outcome = run(executor, component.run(), observer)
    assert [int(outcome.output)] == [identity.pid for identity in observer.identities]
    assert int(outcome.output) != os.getsid(0)


def test_binary_output_is_shown_as_text(executor: Executor, component: Component):
    """Undecodable bytes become U+FFFD; both streams are kept apart."""
    component.script(r"printf 'a\xff\x00b'; printf 'e\xfe' >&2")
    outcome = run(executor, component.run())
    assert (outcome.output, outcome.error) == ("a\ufffd\0b", "e\ufffd")


def test_large_output_is_quoted_within_bounds(executor: Executor, component: Component, settings: ExecutorSettings):
    """64 MiB leave an excerpt, a complete log, and our memory as it was (I12)."""
    component.script("echo first; head -c 67108864 /dev/zero | tr '\\0' x; echo; echo PHASE:last; echo last")
    observer = RecordingObserver()
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


def test_forgetting_removes_small_runs_altogether(executor: Executor, component: Component, settings: ExecutorSettings):
    """What an outcome quoted completely is not kept a second time."""
    component.script("echo ok")
    run(executor, component.run(attempt=1))
    run(executor, component.run(attempt=2))
    executor.cleanup(id_of())
    assert list(settings.runs.iterdir()) == []


def test_phases_are_told_while_the_script_runs(executor: Executor, component: Component):
    """The observer hears of each change, and of the session before."""
    component.script("echo PHASE:pull; until [ -e go ]; do sleep 0.01; done; echo PROGRESS:100; echo PHASE:done")
    observer = RecordingObserver()
    go = component.directory / "go"
    observer.stop = lambda: (
        observer.reports[-1].phase == "pull" and bool(go.touch())
    )  # looks on, and lets the script go on
    run(executor, component.run(), observer)
    assert len(observer.identities) == 1
    assert (observer.reports[1].phase, observer.reports[1].percent) == ("pull", None)
    assert (observer.reports[-1].phase, observer.reports[-1].percent) == ("done", 100)


def test_output_is_told_while_the_script_runs(executor: Executor, component: Component):
    """The ends of both streams, also when no phase comes with them."""
    component.script("echo one; echo two >&2; until [ -e go ]; do sleep 0.01; done; echo three")
    observer = RecordingObserver()
    go = component.directory / "go"
    told = ProgressReport(output="one\n", error="two\n")
    observer.stop = lambda: observer.reports[-1] == told and bool(go.touch())  # looks on, and lets the script go on
    run(executor, component.run(), observer)
    assert told in observer.reports
    assert observer.reports[-1] == ProgressReport(output="one\nthree\n", error="two\n")


def test_a_report_comes_at_every_look(executor: Executor, component: Component):
    """Whoever holds a report back is reminded of it, although nothing changes any more."""
    component.script("echo one; until [ -e go ]; do sleep 0.01; done")
    observer = RecordingObserver()
    looks: list[ProgressReport] = []
    observer.reported = looks.append  # type: ignore[method-assign]
    go = component.directory / "go"
    observer.stop = lambda: looks[-5:] == [ProgressReport(output="one\n")] * 5 and bool(go.touch())
    run(executor, component.run(), observer)
    assert go.exists()


def test_a_background_child_that_holds_stdout_delays_nothing(executor: Executor, component: Component):
    """The run is over when the script is."""
    component.script("sleep 600 & echo $! >pid; echo ok")
    outcome = run(executor, component.run())
    (child,) = component.pids("pid")
    assert (outcome.exit_code, outcome.output, lives(child)) == (0, "ok\n", True)
    end(child)


def _miss_the_whole_run(directory: RunDirectory) -> None:
    """Found nothing, and was not given the processor again until the script had ended: busy machines do that."""
    until(lambda: directory.exit_code() is not None)


@pytest.mark.parametrize("missed", [(), (_miss_the_whole_run,)], ids=["in time", "too late"])
def test_a_service_left_behind_survives_a_later_timeout(
    executor: Executor,
    component: Component,
    missed: tuple[Callable[[RunDirectory], None], ...],
    monkeypatch: pytest.MonkeyPatch,
):
    """What a successful script left running is nobody else's, not even the same request's (timeouts kill their own)."""
    component.script("setsid sleep 600 & echo $! >service; sleep 600 & echo $! >sibling")
    component.script("echo $$ >pid; sleep 600", "health-check.sh")
    observer = RecordingObserver()
    looks = chain(missed, repeat(RunDirectory.claim))

    def claim(directory: RunDirectory) -> Claim | None:
        return next(looks)(directory)

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "claim", claim)
        assert run(executor, component.run(), observer).exit_code == 0
    outcome = overrun(executor, component.run(attempt=2, script="health-check.sh"))
    assert outcome.exit_kind is ExitKind.TIMED_OUT
    executor.close()
    service, sibling, slow = component.pids("service", "sibling", "pid")
    assert [lives(service), lives(sibling), lives(slow)] == [True, True, False]
    assert len(observer.identities) == 1
    end(service)
    end(sibling)


def test_runs_are_private(executor: Executor, component: Component, settings: ExecutorSettings):
    """Logs may hold secrets: only the coordinator's user enters."""
    component.script("true")
    run(executor, component.run())
    assert stat.S_IMODE((settings.runs / id_of() / "1").stat().st_mode) == 0o700


def test_no_descriptor_is_left_open(executor: Executor, component: Component):
    """Any number of runs, launchers and timeouts hold no descriptors once closed (I12)."""
    component.script("sleep 600 & echo $! >pid")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(3):
        run(executor, component.run(f"req-{number}"))
        end(component.directory / "pid")
        until(lambda: not lives(component.directory / "pid"))
    executor.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_closed_executor_leaves_a_running_script_alone(executor: Executor, component: Component):
    """Its launcher ends after it, and what it did is recorded."""
    component.script("echo $$ >pid; until [ -e go ]; do sleep 0.01; done; echo done >result")
    executor.start(component.run())
    until(lambda: written(component.directory / "pid"))
    executor.close()
    (component.directory / "go").touch()
    until(lambda: written(component.directory / "result"))
