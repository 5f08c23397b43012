"""Stops, kills and reboots while a script runs (I3, I9)."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from contextlib import closing, suppress

import pytest

from tests.support.polling import wait_until
from tests.support.real_host import Host

BLOCK = "echo before; until [ -e go ]; do sleep 0.1; done; echo after"


def _begin(host: Host, script: str = BLOCK, **settings) -> None:
    host.component("core", {"update.sh": script}, **settings)
    host.start()
    host.submit("one", "update")
    host.await_run("update.sh", "one")


def _let_script_end(host: Host) -> None:
    (host.root / "components/core/go").touch()


def _identified(host: Host) -> bool:
    with closing(sqlite3.connect(host.journal)) as journal:
        return bool(journal.execute("SELECT 1 FROM attempts WHERE ending IS NULL AND pid IS NOT NULL").fetchone())


def _kill_everything(host: Host) -> None:
    """Kill coordinator, worker and scripts at once, as a power cut does."""
    wait_until(lambda: _identified(host), "the worker's pid in the journal")
    with closing(sqlite3.connect(host.journal)) as journal:
        (worker,) = journal.execute("SELECT pid FROM attempts WHERE ending IS NULL").fetchone()
    host.kill()
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)  # started by this host's coordinator
    host.end_scripts()


def _reboot(host: Host, *, keep_files: bool = False) -> None:
    """Assign the journal's open attempt to an earlier boot."""
    with closing(sqlite3.connect(host.journal)) as journal, journal:
        changed = journal.execute("UPDATE attempts SET boot_id = 'an-earlier-boot' WHERE ending IS NULL").rowcount
    assert changed == 1
    if not keep_files:
        shutil.rmtree(host.state / "runs" / "one")


def test_sigterm_lets_the_running_script_finish(host):
    """SIGTERM waits up to stop_timeout_s for the script and exits with 0; the script's result is the answer."""
    _begin(host)
    host.terminate()
    wait_until(lambda: "stopping" in host.log(), "the stop to begin")
    assert host.process.poll() is None
    _let_script_end(host)
    assert host.wait() == 0
    host.start()
    answer = host.answer("one")
    assert (answer["state"], answer["output"]) == ("succeeded", "before\nafter\n")
    assert host.runs("one") == ["update.sh", "health-check.sh"]


def test_sigterm_with_stop_timeout_0_interrupts_the_update(host):
    """With stop_timeout_s = 0 a running update is killed with all descendants, and the next start rolls it back."""
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


def test_second_sigterm_interrupts_at_once(host):
    """A second SIGTERM does not wait for stop_timeout_s."""
    host.set("execution", stop_timeout_s=3600)
    _begin(host)
    host.terminate()
    wait_until(lambda: "stopping" in host.log(), "the stop to begin")
    host.terminate()
    assert host.wait() == 0
    assert host.script_processes() == []


def test_sigterm_when_idle_exits_at_once(host):
    """An idle coordinator exits with 0 on SIGTERM and leaves no process."""
    host.component("core")
    host.start()
    host.submit_and_wait("one", "health")
    assert host.stop() == 0
    assert host.script_processes() == []


def test_restart_adopts_a_running_script(host):
    """After SIGKILL the running script is adopted: not restarted, with all its output in the answer."""
    _begin(host)
    host.kill()
    assert host.script_processes()
    host.start()
    wait_until(lambda: "adopt" in host.log(), f"the script to be found\n{host.log()}")
    assert not host.final("one").exists()
    _let_script_end(host)
    answer = host.answer("one")
    assert (answer["state"], answer["output"]) == ("succeeded", "before\nafter\n")
    assert host.runs("one") == ["update.sh", "health-check.sh"]


def test_adopted_script_keeps_its_time_limit(host):
    """An adopted script is killed at its time limit, with all descendants."""
    _begin(host, f"setsid sleep 1000 & {BLOCK}", timeout_s=8, kill_grace_s=0.3, on_failure="none")
    host.kill()
    host.start()
    answer = host.answer("one")
    assert (answer["state"], answer["reason"]) == ("failed", "timeout")
    assert host.script_processes() == []


@pytest.mark.parametrize(("code", "state", "reason"), [(0, "succeeded", None), (7, "failed", "script_failed")])
def test_restart_collects_a_script_that_ended_meanwhile(host, code, state, reason):
    """A script that ended while no coordinator ran is not rerun: its recorded exit code and output are used."""
    _begin(host, f"{BLOCK}; exit {code}", on_failure="none")
    host.kill()
    _let_script_end(host)
    wait_until(lambda: not host.script_processes(), "the script to end")
    host.start()
    answer = host.answer("one")
    assert (answer["state"], answer["reason"]) == (state, reason)
    assert answer["attempts"][0]["exit_code"] == code
    assert answer["output"] == "before\nafter\n"
    assert host.runs("one").count("update.sh") == 1


def test_restart_adopts_a_running_rollback(host):
    """A running rollback.sh is adopted after SIGKILL, and not started twice."""
    host.component("core", {"update.sh": "exit 3", "rollback.sh": BLOCK})
    host.start()
    host.submit("one", "update")
    host.await_run("rollback.sh", "one")
    host.kill()
    host.start()
    _let_script_end(host)
    answer = host.answer("one")
    assert (answer["state"], answer["exit_code"]) == ("rolled_back", 3)
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]


def test_repeated_kills_keep_one_script_running(host):
    """Repeated kills of the coordinator leave the script running, once."""
    _begin(host)
    for _ in range(4):
        host.kill()
        host.start()
    _let_script_end(host)
    assert host.answer("one")["output"] == "before\nafter\n"
    assert host.runs("one") == ["update.sh", "health-check.sh"]


def test_script_killed_with_its_coordinator_is_interrupted(host):
    """Without a recorded exit code the update counts as interrupted and is rolled back (I3)."""
    _begin(host)
    _kill_everything(host)
    host.start()
    answer = host.answer("one")
    assert (answer["state"], answer["reason"]) == ("rolled_back", "interrupted")
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]


@pytest.mark.parametrize("keep_files", [False, True])
def test_reboot_interrupts_and_rolls_back(host, keep_files):
    """After a reboot a running script is not restarted: the update is rolled back (I3, I9)."""
    _begin(host)
    _kill_everything(host)
    _reboot(host, keep_files=keep_files)
    host.start()
    answer = host.answer("one")
    assert (answer["state"], answer["reason"]) == ("rolled_back", "interrupted")
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]


def test_reboot_reruns_where_the_component_allows_it(host):
    """With on_interruption = rerun an interrupted update runs again after a reboot, and may succeed."""
    _begin(host, on_interruption="rerun")
    _kill_everything(host)
    _reboot(host)
    _let_script_end(host)
    host.start()
    assert host.answer("one")["state"] == "succeeded"
    assert host.runs("one") == ["update.sh", "update.sh", "health-check.sh"]


def test_reruns_of_a_script_that_reboots_its_host_are_bounded(host):
    """A script that reboots its host each time fails after a bounded number of resumes (I9)."""
    _begin(host, on_interruption="rerun")
    for started in range(2, 9):
        _kill_everything(host)
        _reboot(host)
        host.start()
        wait_until(
            lambda started=started: len(host.runs("one")) >= started or host.final("one").exists(),
            "the next start or the answer",
        )
        if "rollback.sh" in host.runs("one") or host.final("one").exists():
            break
    answer = host.answer("one")
    assert (answer["success"], answer["reason"]) == (False, "interrupted")
    assert host.runs("one").count("update.sh") <= 6


def test_interrupted_health_check_runs_again(host):
    """An interrupted health request runs again: that is always safe (I3)."""
    host.component("core", {"health-check.sh": BLOCK})
    host.start()
    host.submit("one", "health")
    host.await_run("health-check.sh", "one")
    _kill_everything(host)
    _reboot(host)
    _let_script_end(host)
    host.start()
    assert host.answer("one")["state"] == "succeeded"
    assert host.runs("one") == ["health-check.sh", "health-check.sh"]


def test_request_of_a_removed_component_is_answered(host):
    """A waiting request whose component was removed from the configuration is answered (I9)."""
    host.component("old", lock="shared")
    _begin(host, lock="shared")
    host.submit("orphan", "update", "old")
    wait_until(lambda: host.progress("orphan"), "the second request to be accepted")
    host.kill()
    del host.sections["components.old"]
    host.start()
    answer = host.answer("orphan")
    assert (answer["state"], answer["reason"]) == ("failed", "unknown_component")
    assert host.runs("orphan") == []
    _let_script_end(host)
    assert host.answer("one")["success"]
