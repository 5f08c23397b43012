"""Opening, migrating, sharing and losing the file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fsm_story import NOON

from fsm import database
from fsm.database import Database
from fsm.errors import (
    JournalDamagedError,
    JournalRefusedError,
    JournalTooNewError,
    JournalUnavailableError,
)
from fsm.journal import Journal
from fsm.journal_reader import JournalReader
from fsm.recovery import RecoveryAction
from fsm.transition_table import TRANSITIONS
from protocol.types import ProbeResult

EVERYTHING = ("SELECT * FROM requests", "SELECT * FROM transitions", "SELECT * FROM attempts", "SELECT * FROM meta")


def synchronous(journal):
    """SQLite's setting: 1 is NORMAL, 2 is FULL."""
    return journal.database.read("PRAGMA synchronous")[0][0]


def test_a_journal_opened_again_holds_what_it_held(story, journal):
    """Opening migrates once; the second opening changes nothing."""
    story.run("a")
    journal.close()
    with Journal.open(journal.path) as again:
        assert again.get("a").settled_at
        assert again.database.integrity() == []


def write_first_schema(path):
    """A journal as the first release wrote it: one settled and published request, one with an open attempt."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(database._migrations()[0])
    for move in TRANSITIONS:
        connection.execute(
            "INSERT INTO moves (event, source, dest) VALUES (?, ?, ?)", (move.event, move.source, move.dest)
        )
    requests = (
        "INSERT INTO requests (id, component, action, version, received_at, state)"
        " VALUES (?, 'core', 'update', '1.2.3', ?, 'received')"
    )
    transitions = "INSERT INTO transitions VALUES (?, ?, ?, ?, ?, NULL, 'so it ended')"
    attempts = (
        "INSERT INTO attempts VALUES (?, 1, 'running', 'update.sh', 'boot', ?, 5.0, 42, 7,"
        " NULL, NULL, NULL, NULL, '', '')"
    )
    at = NOON.isoformat()
    for name in ("done", "open"):
        connection.execute(requests, (name, at))
        connection.execute(transitions, (name, "accept", "received", "validated", at))
        connection.execute(transitions, (name, "start", "validated", "running", at))
        connection.execute(attempts, (name, at))
    connection.execute("UPDATE attempts SET ending = 'exited', exit_code = 0 WHERE request_id = 'done'")
    connection.execute(transitions, ("done", "succeed", "running", "succeeded", at))
    connection.execute("UPDATE requests SET settled_at = ?, settled_uptime = 0.0 WHERE id = 'done'", (at,))
    connection.execute("UPDATE requests SET published = 1 WHERE id = 'done'")
    connection.execute("UPDATE meta SET value = 100.0 WHERE key = 'uptime'")
    connection.execute("PRAGMA user_version = 1")
    rows = [connection.execute(everything).fetchall() for everything in EVERYTHING]
    connection.close()
    return rows


def test_migration_keeps_every_row_of_the_first_schema(tmp_path):
    """A journal of the first release keeps every row, and takes what is new at once."""
    path = tmp_path / "journal"
    rows = write_first_schema(path)
    with pytest.raises(JournalUnavailableError, match="version 1, not 4; start the coordinator once"):
        JournalReader.open(path)
    with Journal.open(path) as new:
        assert new.database.read("PRAGMA user_version")[0][0] == 4
        for everything, before in zip(EVERYTHING, rows, strict=True):  # migrations add columns at the end
            kept = [tuple(row)[: len(old)] for row, old in zip(new.database.read(everything), before, strict=True)]
            assert kept == before
        assert (new.recoveries("open"), new.failures("open")) == ([], [])
        new.record_recovery("open", 1, NOON, ProbeResult.ALIVE, RecoveryAction.ADOPT)
        assert [one.number for one in new.recoveries("open")] == [1]
        assert new.next_due(["core"], uptime_s=0).request_id == "open"
        assert new.database.integrity() == []


def test_a_newer_journal_is_refused(journal):
    """A release never touches what a later one wrote."""
    journal.database.write("PRAGMA user_version = 99")
    journal.close()
    with pytest.raises(JournalTooNewError, match=r"cannot use .* version 99"):
        Journal.open(journal.path)


def test_migration_counts_an_answer_of_the_first_schema_from_its_settling(tmp_path):
    """The first schema did not record when an answer was published; nothing of it stays for ever."""
    write_first_schema(tmp_path / "old")
    with Journal.open(tmp_path / "old") as new:
        assert (new.answered_uptime("done"), new.answered_uptime("open")) == (0, None)
        assert (new.prune(50, limit=10), new.existing_ids(["done", "open"])) == (1, {"open"})


def test_a_file_that_is_no_database_is_damaged(tmp_path):
    """Rubbish is told apart from a journal that cannot be reached."""
    (tmp_path / "journal").write_bytes(b"rubbish" * 1000)
    with pytest.raises(JournalDamagedError, match="set the file and its -wal aside"):
        Journal.open(tmp_path / "journal")


def test_a_broken_page_is_found_by_the_check(story, journal):
    """``integrity`` reads everything and tells what it found, as text or as an error."""
    for number in range(50):
        story.run(f"r{number}")
    journal.close()
    content = bytearray(journal.path.read_bytes())
    for page in range(5, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    journal.path.write_bytes(content)
    try:
        with Journal.open(journal.path) as broken:
            found = broken.database.integrity()
    except JournalDamagedError as error:
        found = [str(error)]
    assert found


def test_a_folder_that_is_missing_makes_the_journal_unavailable(tmp_path):
    """What cannot be opened says so."""
    with pytest.raises(JournalUnavailableError, match="cannot reach"):
        Journal.open(tmp_path / "none" / "journal")


def test_a_full_disk_leaves_nothing_half_written(story, journal):
    """A transaction that finds no room is undone as a whole, and the journal goes on afterwards."""
    pages = journal.database.read("PRAGMA page_count")[0][0]
    journal.database.read(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalUnavailableError, match="full"), journal.transaction():  # noqa: PT012
        for number in range(1000):
            story.admit(f"r{number}")
    journal.database.read("PRAGMA max_page_count = 1000000")
    assert journal.history(1) == []
    story.run("after")


def test_a_dropped_move_is_no_longer_legal_though_history_knows_it(story, journal):
    """The table is renewed at opening; what a release does not know cannot be recorded, nor is it erased."""
    journal.database.write("INSERT INTO moves VALUES ('fly', 'received', 'succeeded', 1)")
    story.admit("a")
    journal.close()
    with Journal.open(journal.path) as again:
        with pytest.raises(JournalRefusedError):
            again.database.write(
                "INSERT INTO transitions VALUES ('a', 'fly', 'received', 'succeeded', 'now', NULL, '')"
            )
        assert again.database.read("SELECT legal FROM moves WHERE event = 'fly'")[0][0] == 0


def test_a_reader_reads_while_the_writer_is_open(story, journal):
    """The command line works beside the daemon, and sees its last commit."""
    with JournalReader.open(journal.path) as reader:
        story.run("a")
        assert reader.get("a")


def test_a_reader_cannot_write(journal):
    """Read-only is kept by SQLite, not by good manners."""
    with (
        JournalReader.open(journal.path) as reader,
        pytest.raises(JournalUnavailableError),
        reader.database.transaction(),
    ):
        reader.database.write("DELETE FROM requests")


def test_a_writer_that_sqlite_only_lets_read_is_refused(tmp_path, monkeypatch):
    """SQLite makes do with reading where a disk is read-only for a moment, and never asks again."""
    path = tmp_path / "journal.db"
    Journal.open(path).close()
    connect = sqlite3.connect

    def connect_for_reading(name, **options):
        return connect(name.replace("mode=rwc", "mode=ro"), **options)

    monkeypatch.setattr(database.sqlite3, "connect", connect_for_reading)
    with pytest.raises(JournalUnavailableError, match="readonly"):
        Journal.open(path)
    monkeypatch.undo()
    Journal.open(path).close()


def test_a_reader_finds_no_journal_before_the_first_start(tmp_path):
    """Reading creates nothing."""
    with pytest.raises(JournalUnavailableError):
        JournalReader.open(tmp_path / "journal")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_refuses_an_older_schema(tmp_path):
    """Only the daemon migrates."""
    sqlite3.connect(tmp_path / "journal").execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(JournalUnavailableError, match="start the coordinator once"):
        JournalReader.open(tmp_path / "journal")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_stranger_reads_a_journal_whose_daemon_is_stopped(story, journal):
    """Without the right to write the folder, and without a log, the file is read as it lies there."""
    story.run("a")
    journal.close()
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from fsm.journal_reader import JournalReader\n"
        "from fsm.database import _migrations; _migrations()  # Python itself may be private, too\n"
        "os.chdir(sys.argv[1]); os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "print(JournalReader.open(Path('journal')).get('a').state)"
    )
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders, and perhaps the checkout, are private
        Path(folder).chmod(0o755)
        root = Path(__file__).parents[2]
        for package in ("fsm", "protocol"):
            shutil.copytree(root / package, Path(folder, package), ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        copy = Path(folder, "journal")
        copy.write_bytes(journal.path.read_bytes())
        copy.chmod(0o644)
        done = subprocess.run([sys.executable, "-c", script, folder], cwd=root, capture_output=True, text=True)
    assert done.stdout == "succeeded\n", done.stderr


def test_an_inner_transaction_is_part_of_the_outer_one(story, journal):
    """What the outer one undoes includes the inner one."""
    with pytest.raises(ZeroDivisionError), journal.transaction():  # noqa: PT012
        story.admit("a")
        raise ZeroDivisionError
    assert journal.get("a") is None


def test_an_inner_transaction_that_fails_undoes_only_itself(story, journal):
    """Whoever catches the failure goes on without its half-written rows."""
    with journal.transaction():
        story.admit("a")
        with pytest.raises(ZeroDivisionError), journal.transaction():  # noqa: PT012
            story.admit("b")
            raise ZeroDivisionError
    assert journal.existing_ids(["a", "b"]) == {"a"}


def test_only_volatile_facts_go_without_fsync(journal):
    """NORMAL lasts as long as the block, also when it raises; within a durable transaction it does not apply."""
    with pytest.raises(ZeroDivisionError), journal.transaction(durable=False):  # noqa: PT012
        assert synchronous(journal) == 1
        raise ZeroDivisionError
    assert synchronous(journal) == 2
    with journal.transaction(), journal.transaction(durable=False):
        assert synchronous(journal) == 2


def test_a_closed_journal_is_unavailable(tmp_path):
    """Using it after closing is told in this package's words."""
    database = Database.open(tmp_path / "journal")
    database.close()
    with pytest.raises(JournalUnavailableError):
        database.read("SELECT 1")
