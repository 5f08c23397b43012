"""Kills, stops and starts on full disks (I1, I3, I9, I13)."""

from __future__ import annotations

import pytest

from tests.support.full_disk import (
    NO_JOURNAL,
    ROLLED_BACK,
    UPDATED,
    WAIT,
    await_again,
    await_log,
    check_answer,
    put_all_on_one_disk,
    start,
    start_and_fill,
)
from tests.support.polling import wait_until
from tests.support.real_host import DEADLINE_S


def _start_on_full(host):
    """Start once more; after an exit code of 1 a supervisor would retry later."""
    process = host.spawn()
    wait_until(lambda: " ready" in host.log_since_start() or process.poll() is not None, "ready, or an exit")
    if process.poll() is not None:
        assert process.returncode == 1, host.log()
        host.process = None


def _free_space(host, disk):
    disk.grow()
    if host.process is None:
        host.start()


@pytest.mark.parametrize("ended", [False, True])
def test_kill_on_a_full_disk_loses_no_request(host, small_disk, ended):
    """After SIGKILL and restarts on a full disk, the script ran once; once space is free, its result is the answer."""
    disk = put_all_on_one_disk(host, small_disk)
    start_and_fill(host, disk, "exit 0" if ended else f"{WAIT}; exit 0")
    if ended:
        await_log(host, NO_JOURNAL)
    for _ in range(2):
        host.kill()
        _start_on_full(host)
    (host.root / "components/core/go").touch()
    if host.process is not None:
        await_again(host, NO_JOURNAL)
    assert host.runs("one") == ["update.sh"]
    _free_space(host, disk)
    check_answer(host, "one", UPDATED)


def test_kill_keeps_an_answer_that_waits_for_space(host, small_disk):
    """After SIGKILL and a restart while status/ is full, the same answer is published once space is free."""
    disk = small_disk(host.status)
    start(host, "exit 3")
    disk.fill()
    host.submit("one", "update")
    await_log(host, "[one] cannot publish the answer")
    host.kill()
    host.start()
    await_again(host, "[one] cannot publish the answer")
    disk.grow()
    check_answer(host, "one", ROLLED_BACK, "rolled_back", "script_failed")


def test_time_limit_holds_on_a_full_disk(host, small_disk):
    """An adopted script is stopped at its time limit while the disk is still full."""
    disk = small_disk(host.state)
    start_and_fill(host, disk, "sleep 600", timeout_s=10)
    host.kill()
    host.start()
    await_log(host, "[one] update.sh was stopped")
    assert disk.is_full()
    assert host.script_processes() == []
    disk.grow()
    check_answer(host, "one", ROLLED_BACK, "rolled_back", "timeout")


def test_stop_on_a_full_disk_is_clean(host, small_disk):
    """SIGTERM on a full disk exits with 0; the next coordinator answers what is left."""
    disk = put_all_on_one_disk(host, small_disk)
    start_and_fill(host, disk, "exit 0")
    await_log(host, NO_JOURNAL)
    assert host.stop() == 0
    assert "Traceback" not in host.log()
    _start_on_full(host)
    _free_space(host, disk)
    check_answer(host, "one", UPDATED)


def test_failed_journal_rebuild_leaves_nothing_on_a_full_disk(host, small_disk):
    """Failed rebuilds of a lost journal on a full disk leave no partial journal."""
    disk = small_disk(host.state)
    start_and_fill(host, disk, WAIT)
    host.kill()
    for path in host.state.glob("journal.db*"):
        path.unlink()
    disk.fill()
    for _ in range(4):
        assert host.spawn().wait(DEADLINE_S) == 1
        host.process = None
    assert "cannot start" in host.log()
    assert not list(host.state.glob("journal.db.damaged-*"))
    _free_space(host, disk)
    check_answer(host, "one", ROLLED_BACK, "rolled_back", "interrupted")
