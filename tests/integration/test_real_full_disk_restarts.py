"""Kills, stops and starts on disks that are really full (I1, I3, I9, I13)."""

from __future__ import annotations

import pytest

from tests.support.full_disk import (
    NO_JOURNAL,
    UNDONE,
    UPDATED,
    WAIT,
    await_again,
    await_log,
    one_card,
    settled,
    start,
    start_and_fill,
)
from tests.support.real_host import until


def _start_on_full(host):
    """Start once more; a supervisor would keep trying where the coordinator says that it cannot."""
    process = host.spawn()
    until(lambda: b" ready" in host._since_start() or process.poll() is not None, "ready, or its end")
    if process.poll() is not None:
        assert process.returncode == 1, host.log()
        host.process = None


def _room_again(host, disk):
    disk.grow()
    if host.process is None:
        host.start()


@pytest.mark.parametrize("ended", [False, True])
def test_a_kill_on_a_full_card_costs_nothing(host, small_disk, ended):
    """SIGKILL on a full disk, a start on it, still full, then room: the script ran once and the answer is its own."""
    disk = one_card(host, small_disk)
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
    _room_again(host, disk)
    settled(host, "one", UPDATED)


def test_a_kill_does_not_lose_an_answer_without_room(host, small_disk):
    """SIGKILL while status/ has no room for an answer, a start without room either: with room it is the same answer."""
    disk = small_disk(host.status)
    start(host, "exit 3")
    disk.fill()
    host.ask("one", "update")
    await_log(host, "[one] cannot publish the answer")
    host.kill()
    host.start()
    await_again(host, "[one] cannot publish the answer")
    disk.grow()
    settled(host, "one", UNDONE, "rolled_back", "script_failed")


def test_a_time_limit_holds_on_a_full_disk(host, small_disk):
    """A script found again on a full disk is stopped at its time limit all the same, not when there is room again."""
    disk = small_disk(host.state)
    start_and_fill(host, disk, "sleep 600", timeout_s=6)
    host.kill()
    host.start()
    await_log(host, "[one] update.sh was stopped")
    assert disk.is_full()
    assert host.script_processes() == []
    disk.grow()
    settled(host, "one", UNDONE, "rolled_back", "timeout")


def test_a_stop_on_a_full_disk_is_a_clean_stop(host, small_disk):
    """SIGTERM ends a coordinator on a full disk with 0; what it left is answered by the next."""
    disk = one_card(host, small_disk)
    start_and_fill(host, disk, "exit 0")
    await_log(host, NO_JOURNAL)
    assert host.stop() == 0
    assert "Traceback" not in host.log()
    _start_on_full(host)
    _room_again(host, disk)
    settled(host, "one", UPDATED)


def test_starts_without_a_journal_leave_nothing_on_a_full_disk(host, small_disk):
    """However often a start finds no room to build a lost journal anew, it leaves no half one behind, and goes on."""
    disk = small_disk(host.state)
    start_and_fill(host, disk, WAIT)
    host.kill()
    for path in host.state.glob("journal.db*"):
        path.unlink()
    disk.fill()
    for _ in range(4):
        assert host.spawn().wait(60) == 1
        host.process = None
    assert "cannot start" in host.log()
    assert not list(host.state.glob("journal.db.damaged-*"))
    _room_again(host, disk)
    settled(host, "one", UNDONE, "rolled_back", "interrupted")
