"""Stops, kills and reboots while a script runs (I3, I9)."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from contextlib import closing, suppress

import pytest

from tests.support.real_host import Host, until

BLOCK = "echo before; until [ -e go ]; do sleep 0.02; done; echo after"


def _begin(host: Host, script: str = BLOCK, **settings) -> None:
    host.component("core", {"update.sh": script}, **settings)
    host.start()
    host.ask("one", "update")
    host.await_run("update.sh", "one")


def _go(host: Host) -> None:
    (host.root / "components/core/go").touch()


def _identified(host: Host) -> bool:
    with closing(sqlite3.connect(host.journal)) as journal:
        return bool(journal.execute("SELECT 1 FROM attempts WHERE ending IS NULL AND pid IS NOT NULL").fetchone())


def _kill_everything(host: Host) -> None:
    """What a power cut does: coordinator, sessions and scripts end at once, unheard."""
    until(lambda: _identified(host), "the session's pid in the journal")
    with closing(sqlite3.connect(host.journal)) as journal:
        (session,) = journal.execute("SELECT pid FROM attempts WHERE ending IS NULL").fetchone()
    host.kill()
    with suppress(ProcessLookupError):
        os.kill(session, signal.SIGKILL)  # ours: the host's own coordinator started it
    host.end_scripts()


def _reboot(host: Host, *, keep_files: bool = False) -> None:
    """Let the journal's open attempt belong to an earlier boot."""
    with closing(sqlite3.connect(host.journal)) as journal, journal:
        changed = journal.execute("UPDATE attempts SET boot_id = 'an-earlier-boot' WHERE ending IS NULL").rowcount
    assert changed == 1
    if not keep_files:
        shutil.rmtree(host.state / "runs" / "one")


def test_sigterm_lets_the_running_script_finish(host):
    """SIGTERM while a script runs waits for it within stop_timeout_s and exits 0; the answer is the script's own."""
    _begin(host)
    host.terminate()
    until(lambda: "stopping" in host.log(), "the stop to begin")
    assert host.process.poll() is None
    _go(host)
    assert host.wait() == 0
    host.start()
    answer = host.answer("one")
    assert (answer["state"], answer["output"]) == ("succeeded", "before\nafter\n")
    assert host.runs("one") == ["update.sh", "health-check.sh"]


def test_sigterm_without_patience_interrupts_and_the_next_start_rolls_back(host):
    """With stop_timeout_s = 0 a running update is interrupted, nothing of it lives on, and the next start undoes it."""
    host.set("execution", stop_timeout_s=0)
    _begin(host)
    assert host.stop() == 0
    assert host.script_processes() == []
    assert host.runs("one") == ["update.sh"]
    host.start()
    answer = host.answer("one")
    assert (answer["state"], answer["reason"]) == ("rolled_back", "interrupted")
    assert answer["output"].startswith("before\n")
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]


def test_a_second_sigterm_interrupts_at_once(host):
    """A second SIGTERM does not wait for stop_timeout_s."""
    host.set("execution", stop_timeout_s=3600)
    _begin(host)
    host.terminate()
    until(lambda: "stopping" in host.log(), "the stop to begin")
    host.terminate()
    assert host.wait() == 0
    assert host.script_processes() == []


def test_sigterm_when_idle_exits_at_once(host):
    """An idle coordinator exits with 0 on SIGTERM and leaves no process behind."""
    host.component("core")
    host.start()
    host.settle("one", "health")
    assert host.stop() == 0
    assert host.script_processes() == []


def test_a_killed_coordinator_finds_its_script_again(host):
    """After SIGKILL the running script is adopted: not started again, all of its output in the answer."""
    _begin(host)
    host.kill()
    assert host.script_processes()
    host.start()
    until(lambda: "adopt" in host.log(), f"the script to be found\n{host.log()}")
    assert not host.final("one").exists()
    _go(host)
    answer = host.answer("one")
    assert (answer["state"], answer["output"]) == ("succeeded", "before\nafter\n")
    assert host.runs("one") == ["update.sh", "health-check.sh"]


def test_an_adopted_script_keeps_its_time_limit(host):
    """A script found again after SIGKILL is still ended at its limit, with all it started."""
    _begin(host, f"setsid sleep 1000 & {BLOCK}", timeout_s=5, kill_grace_s=0.3, on_failure="none")
    host.kill()
    host.start()
    answer = host.answer("one")
    assert (answer["state"], answer["reason"]) == ("failed", "timeout")
    assert host.script_processes() == []


@pytest.mark.parametrize(("code", "state", "reason"), [(0, "succeeded", None), (7, "failed", "script_failed")])
def test_a_script_that_ended_meanwhile_is_believed(host, code, state, reason):
    """A script that ended while no coordinator ran is not run again: its recorded exit code and output are used."""
    _begin(host, f"{BLOCK}; exit {code}", on_failure="none")
    host.kill()
    _go(host)
    until(lambda: not host.script_processes(), "the script to end")
    host.start()
    answer = host.answer("one")
    assert (answer["state"], answer["reason"]) == (state, reason)
    assert answer["attempts"][0]["exit_code"] == code
    assert answer["output"] == "before\nafter\n"
    assert host.runs("one").count("update.sh") == 1


def test_a_killed_rollback_is_found_again_too(host):
    """SIGKILL while rollback.sh runs: it is adopted, and not started a second time."""
    host.component("core", {"update.sh": "exit 3", "rollback.sh": BLOCK})
    host.start()
    host.ask("one", "update")
    host.await_run("rollback.sh", "one")
    host.kill()
    host.start()
    _go(host)
    answer = host.answer("one")
    assert (answer["state"], answer["exit_code"]) == ("rolled_back", 3)
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]


def test_kills_in_a_row_change_nothing(host):
    """However often the coordinator is killed, the script it started goes on once."""
    _begin(host)
    for _ in range(4):
        host.kill()
        host.start()
    _go(host)
    assert host.answer("one")["output"] == "before\nafter\n"
    assert host.runs("one") == ["update.sh", "health-check.sh"]


def test_a_script_killed_with_its_coordinator_is_interrupted(host):
    """When nobody can tell how the script ended, the update counts as interrupted and is undone (I3)."""
    _begin(host)
    _kill_everything(host)
    host.start()
    answer = host.answer("one")
    assert (answer["state"], answer["reason"]) == ("rolled_back", "interrupted")
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]


@pytest.mark.parametrize("keep_files", [False, True])
def test_a_reboot_interrupts_and_rolls_back(host, keep_files):
    """After a reboot a script that was running is not started again: the update is undone (I3, I9)."""
    _begin(host)
    _kill_everything(host)
    _reboot(host, keep_files=keep_files)
    host.start()
    answer = host.answer("one")
    assert (answer["state"], answer["reason"]) == ("rolled_back", "interrupted")
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]


def test_after_a_reboot_a_component_may_ask_to_run_again(host):
    """With on_interruption = rerun an interrupted update is run again after a reboot, and may succeed."""
    _begin(host, on_interruption="rerun")
    _kill_everything(host)
    _reboot(host)
    _go(host)
    host.start()
    assert host.answer("one")["state"] == "succeeded"
    assert host.runs("one") == ["update.sh", "update.sh", "health-check.sh"]


def test_a_script_that_takes_its_host_down_is_not_rerun_for_ever(host):
    """A script that reboots its host each time is given up after a bounded number of resumes (I9)."""
    _begin(host, on_interruption="rerun")
    for started in range(2, 9):
        _kill_everything(host)
        _reboot(host)
        host.start()
        until(lambda started=started: len(host.runs("one")) >= started or host.final("one").exists(), "it to go on")
        if "rollback.sh" in host.runs("one") or host.final("one").exists():
            break
    answer = host.answer("one")
    assert (answer["success"], answer["reason"]) == (False, "interrupted")
    assert host.runs("one").count("update.sh") <= 6


def test_an_interrupted_health_check_simply_runs_again(host):
    """A health request cut off by a reboot is run again: it is always safe (I3)."""
    host.component("core", {"health-check.sh": BLOCK})
    host.start()
    host.ask("one", "health")
    host.await_run("health-check.sh", "one")
    _kill_everything(host)
    _reboot(host)
    _go(host)
    host.start()
    assert host.answer("one")["state"] == "succeeded"
    assert host.runs("one") == ["health-check.sh", "health-check.sh"]


def test_requests_of_a_component_no_longer_configured_are_answered(host):
    """A waiting request whose component has left the configuration is answered, not forgotten (I9)."""
    host.component("old", lock="shared")
    _begin(host, lock="shared")
    host.ask("orphan", "update", "old")
    until(lambda: host.progress("orphan"), "the second one to be accepted")
    host.kill()
    del host.sections["components.old"]
    host.start()
    answer = host.answer("orphan")
    assert (answer["state"], answer["reason"]) == ("failed", "unknown_component")
    assert host.runs("orphan") == []
    _go(host)
    assert host.answer("one")["success"]
