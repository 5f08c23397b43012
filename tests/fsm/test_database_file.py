"""Opening, migrating, sharing and losing the file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fsm_story import NOON, Story

from fsm import database
from fsm.database import Database
from fsm.errors import (
    JournalDamagedError,
    JournalRefusedError,
    JournalTooNewError,
    JournalUnavailableError,
)
from fsm.journal import Journal
from fsm.reader import Reader
from fsm.recovery import RecoveryAction

EVERYTHING = ("SELECT * FROM requests", "SELECT * FROM transitions", "SELECT * FROM attempts", "SELECT * FROM meta")


def synchronous(journal):
    """SQLite's setting: 1 is NORMAL, 2 is FULL."""
    return journal.read("PRAGMA synchronous")[0][0]


def test_a_journal_opened_again_holds_what_it_held(story, journal):
    """Opening migrates once; the second opening changes nothing."""
    story.run("a")
    journal.close()
    with Journal.open(journal.path) as again:
        assert again.get("a").settled_at
        assert again.integrity() == []


def test_a_journal_of_the_first_version_is_brought_to_the_present_one(tmp_path, monkeypatch):
    """A journal that an earlier release wrote keeps every row and its version grows; it takes what is new at once."""
    path = tmp_path / "journal"
    first = database._migrations()[:1]
    with monkeypatch.context() as earlier:
        earlier.setattr(database, "_migrations", lambda: first)
        with Journal.open(path) as old:
            story = Story(old)
            story.run("done")
            story.admit("open")
            old.advance(None, story.attempt("open"))
            assert old.read("PRAGMA user_version")[0][0] == 1
            rows = [old.read(everything) for everything in EVERYTHING]
    with pytest.raises(JournalUnavailableError, match="version 1, not 3; start the coordinator once"):
        Reader.open(path, read_only=True)
    with Journal.open(path) as new:
        assert new.read("PRAGMA user_version")[0][0] == 3
        for everything, before in zip(EVERYTHING, rows, strict=True):  # migrations add columns at the end
            kept = [tuple(row)[: len(old)] for row, old in zip(new.read(everything), before, strict=True)]
            assert kept == [tuple(old) for old in before]
        assert new.resumptions("open") == []
        new.note_resumption("open", 1, NOON, "alive", RecoveryAction.ADOPT)
        assert [one.number for one in new.resumptions("open")] == [1]
        assert new.integrity() == []


def test_a_newer_journal_is_refused(journal):
    """A release never touches what a later one wrote."""
    journal.write("PRAGMA user_version = 99")
    journal.close()
    with pytest.raises(JournalTooNewError, match=r"cannot use .* version 99"):
        Journal.open(journal.path)


def test_what_an_earlier_release_answered_is_as_old_as_its_settling(tmp_path, monkeypatch):
    """The first schema did not know when an answer was put out; nothing of it stays for ever."""
    migrations = database._migrations()
    monkeypatch.setattr(database, "_migrations", lambda: migrations[:1])
    with Journal.open(tmp_path / "old") as old:
        Story(old).run("answered")
        Story(old).run("waiting")
        old.add_uptime(100)
        old.write("UPDATE requests SET published = 1 WHERE id = 'answered'")
    monkeypatch.undo()
    with Journal.open(tmp_path / "old") as new:
        assert (new.answered_uptime("answered"), new.answered_uptime("waiting")) == (0, None)
        assert (new.prune(50, limit=10), new.existing_ids(["answered", "waiting"])) == (1, {"waiting"})


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
            found = broken.integrity()
    except JournalDamagedError as error:
        found = [str(error)]
    assert found


def test_a_folder_that_is_missing_makes_the_journal_unavailable(tmp_path):
    """What cannot be opened says so."""
    with pytest.raises(JournalUnavailableError, match="cannot reach"):
        Journal.open(tmp_path / "none" / "journal")


def test_a_full_disk_leaves_nothing_half_written(story, journal):
    """A transaction that finds no room is undone as a whole, and the journal goes on afterwards."""
    pages = journal.read("PRAGMA page_count")[0][0]
    journal.read(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalUnavailableError, match="full"), journal.transaction():  # noqa: PT012
        for number in range(1000):
            story.admit(f"r{number}")
    journal.read("PRAGMA max_page_count = 1000000")
    assert journal.history(1) == []
    story.run("after")


def test_a_dropped_move_is_no_longer_legal_though_history_knows_it(story, journal):
    """The table is renewed at opening; what a release does not know cannot be recorded, nor is it erased."""
    journal.write("INSERT INTO moves VALUES ('fly', 'received', 'succeeded', 1)")
    story.admit("a")
    journal.close()
    with Journal.open(journal.path) as again:
        with pytest.raises(JournalRefusedError):
            again.write("INSERT INTO transitions VALUES ('a', 'fly', 'received', 'succeeded', 'now', NULL, '')")
        assert again.read("SELECT legal FROM moves WHERE event = 'fly'")[0][0] == 0


def test_a_reader_reads_while_the_writer_is_open(story, journal):
    """The command line works beside the daemon, and sees its last commit."""
    with Reader.open(journal.path, read_only=True) as reader:
        story.run("a")
        assert reader.get("a")


def test_a_reader_cannot_write(journal):
    """Read-only is kept by SQLite, not by good manners."""
    with (
        Reader.open(journal.path, read_only=True) as reader,
        pytest.raises(JournalUnavailableError),
        reader.transaction(),
    ):
        reader.write("DELETE FROM requests")


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
        Reader.open(tmp_path / "journal", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_refuses_an_older_schema(tmp_path):
    """Only the daemon migrates."""
    sqlite3.connect(tmp_path / "journal").execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(JournalUnavailableError, match="start the coordinator once"):
        Reader.open(tmp_path / "journal", read_only=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_stranger_reads_a_journal_whose_daemon_is_stopped(story, journal):
    """Without the right to write the folder, and without a log, the file is read as it lies there."""
    story.run("a")
    journal.close()
    script = (
        "import os, sys; sys.path[:0] = ['.']\n"
        "from pathlib import Path; from fsm.reader import Reader\n"
        "from fsm.database import _migrations; _migrations()  # Python itself may lie where strangers cannot import\n"
        "os.chdir(sys.argv[1]); os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "print(Reader.open(Path('journal'), read_only=True).get('a').state)"
    )
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to strangers
        Path(folder).chmod(0o755)
        copy = Path(folder, "journal")
        copy.write_bytes(journal.path.read_bytes())
        copy.chmod(0o644)
        root = Path(__file__).parents[2]
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
