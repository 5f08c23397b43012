"""The journal is damaged or lost during an update (I13)."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from tests.support.real_host import Host

PAGE = 4096


def _page_of(host: Host, table: str) -> int:
    with closing(sqlite3.connect(host.journal)) as journal:
        journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return journal.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]


def _overwrite(host: Host, start: int, length: int) -> None:
    with host.journal.open("r+b") as file:
        file.seek(start)
        file.write(os.urandom(length))


def _header(host: Host) -> None:
    _page_of(host, "requests")
    _overwrite(host, 0, 100)


def _everything_but_the_header(host: Host) -> None:
    _page_of(host, "requests")
    _overwrite(host, PAGE, host.journal.stat().st_size - PAGE)


def _requests_page(host: Host) -> None:
    _overwrite(host, (_page_of(host, "requests") - 1) * PAGE, PAGE)


def _attempts_page(host: Host) -> None:
    _overwrite(host, (_page_of(host, "attempts") - 1) * PAGE, PAGE)


def _replaced_by_text(host: Host) -> None:
    _page_of(host, "requests")
    host.journal.write_text("this is not a database\n" * 500)


def _deleted(host: Host) -> None:
    for path in host.state.glob("journal.db*"):
        path.unlink()


def _kill_during_an_update(host: Host, *, script_continues: bool) -> None:
    host.component("core", {"update.sh": "echo begun; until [ -e go ]; do sleep 0.1; done"})
    host.start()
    assert host.submit_and_wait("settled", "health")["success"]
    host.submit("one", "update")
    host.await_run("update.sh", "one")
    host.kill()
    if not script_continues:
        host.end_scripts()


@pytest.mark.parametrize("script_continues", [True, False])
@pytest.mark.parametrize(
    "damage", [_header, _everything_but_the_header, _requests_page, _attempts_page, _replaced_by_text]
)
def test_damaged_journal_is_replaced_and_reported(host, damage, script_continues):
    """A damaged journal is moved aside and logged as critical; what may have run is rolled back, not rerun (I13)."""
    _kill_during_an_update(host, script_continues=script_continues)
    damage(host)
    host.start_supervised()
    answer = host.answer("one")
    assert (answer["state"], answer["reason"]) == ("rolled_back", "interrupted")
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]
    assert host.script_processes() == []
    assert "CRITICAL" in host.log()
    assert "the journal is damaged" in host.log()
    assert list(host.state.glob("journal.db.damaged-*"))
    check = host.cli("check", "--no-scripts")
    assert check.returncode == 1
    assert "damaged journal was set aside" in check.stdout
    host.submit("settled", "update")  # its answer was not taken, so it must not change
    assert host.answer("settled")["action"] == "health"
    assert host.submit_and_wait("later", "health")["success"]
    assert host.runs("settled") == ["health-check.sh"]


@pytest.mark.parametrize("script_continues", [True, False])
def test_deleted_journal_is_rebuilt(host, script_continues):
    """Without a journal an unanswered update counts as interrupted: rolled back, never rerun, and logged (I13)."""
    _kill_during_an_update(host, script_continues=script_continues)
    _deleted(host)
    host.start_supervised()
    answer = host.answer("one")
    assert (answer["state"], answer["reason"]) == ("rolled_back", "interrupted")
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]
    assert host.script_processes() == []
    assert "the journal was lost" in host.log()
    assert "journal was lost" in host.cli("check", "--no-scripts").stdout


def _everything(host: Host) -> None:
    shutil.rmtree(host.state)


def _folders_of_the_run(host: Host) -> None:
    shutil.rmtree(host.state / "runs" / "one")


def _identified(host: Host) -> bool:
    with closing(sqlite3.connect(host.journal)) as journal:
        return bool(journal.execute("SELECT 1 FROM attempts WHERE ending IS NULL AND pid IS NOT NULL").fetchone())


def _exclusive(host: Host, text: str) -> str:
    """Return a script that creates a marker when another one of its lock, or a descendant of it, still runs."""
    return f"exec 9>>{host.root}/held; flock -n 9 || touch {host.root}/overlap\n{text}"


@pytest.mark.parametrize("loss", [_everything, _folders_of_the_run])
def test_lost_state_directory_keeps_scripts_of_a_lock_apart(host, loss):
    """Processes without any record are killed before a script of their lock starts; the answer is true (I10, I13)."""
    block = "(env -i setsid /bin/sleep 600 &) ; echo begun; until [ -e go ]; do sleep 0.1; done"
    host.component(
        "core", {"rollback.sh": _exclusive(host, ""), "health-check.sh": _exclusive(host, "")}, lock="shared"
    )
    host.script("core", "update.sh", _exclusive(host, block))
    host.component("other", {"health-check.sh": _exclusive(host, "")}, lock="shared")
    host.start()
    host.submit("one", "update")
    host.await_run("update.sh", "one")
    host.expect((host.state / "runs/one/1/stdout").read_text, "the script to hold its lock")
    host.expect(lambda: _identified(host), "the worker's pid in the journal")
    host.kill()
    assert host.script_processes()
    loss(host)
    host.submit("two", "health", "other")
    host.start()
    answer = host.answer("one")
    assert (answer["state"], answer["reason"]) == ("rolled_back", "interrupted")
    assert host.answer("two")["success"]
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]
    assert not (host.root / "overlap").exists()
    assert host.script_processes() == []


def test_first_start_waits_for_a_running_script_of_its_lock(host):
    """Even when the folders of an earlier coordinator are lost, no two scripts of a lock overlap (I10)."""
    host.component("core", {"health-check.sh": _exclusive(host, "")})
    host.script("core", "update.sh", _exclusive(host, "echo begun; until [ -e go ]; do sleep 0.1; done"))
    host.start()
    host.submit("one", "update")
    host.await_run("update.sh", "one")
    host.expect((host.state / "runs/one/1/stdout").read_text, "the script to hold its lock")
    host.kill()
    (host.requests / "one.json").unlink()
    for folder in (host.state, host.status):
        shutil.rmtree(folder)
    host.status.mkdir()
    host.submit("two", "health")
    host.start()
    assert host.answer("two")["success"]
    assert not (host.root / "overlap").exists()
    assert host.script_processes() == []


def test_journal_damaged_at_run_time_ends_in_a_true_answer(host):
    """A coordinator whose journal is damaged at run time exits with 1; the next one answers everything."""
    host.component("core", {"update.sh": "until [ -e go ]; do sleep 0.1; done"})
    host.start()
    host.submit("one", "update")
    host.await_run("update.sh", "one")
    for path in host.state.glob("journal.db*"):
        if not path.name.endswith("-shm"):
            path.write_bytes(os.urandom(path.stat().st_size))
    (host.root / "components/core/go").touch()
    if host.process.poll() is None:
        host.submit("two", "health")
    host.kill()
    host.start_supervised()
    assert host.answer("one")["state"] in {"succeeded", "rolled_back"}
    assert host.runs("one").count("update.sh") == 1
    assert host.answer("two")["success"]
