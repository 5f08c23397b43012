"""The file of the journal: open, migrate, share and lose it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from journal_writer import NOON

from fsm import database, schema
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

QUERIES = ("SELECT * FROM requests", "SELECT * FROM transitions", "SELECT * FROM attempts", "SELECT * FROM meta")


def synchronous(journal):
    """SQLite's setting ``synchronous``: 1 is NORMAL, 2 is FULL."""
    return journal.database.read("PRAGMA synchronous")[0][0]


def test_journal_keeps_its_rows_when_reopened(writer, journal):
    """The first opening migrates; the second changes nothing."""
    writer.run("a")
    journal.close()
    with Journal.open(journal.path) as again:
        assert again.get("a").settled_at
        assert again.database.integrity() == []


def write_first_schema(path):
    """Create a journal of the first release: a settled, published request and one with an open attempt."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(schema.migrations()[0])
    for transition in TRANSITIONS:
        connection.execute(
            "INSERT INTO moves (event, source, dest) VALUES (?, ?, ?)",
            (transition.event, transition.source, transition.dest),
        )
    requests = (
        "INSERT INTO requests (id, component, action, version, received_at, state)"
        " VALUES (?, 'core', 'update', '1.2.3', ?, 'received')"
    )
    transitions = "INSERT INTO transitions VALUES (?, ?, ?, ?, ?, NULL, 'script ended')"
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
    rows = [connection.execute(query).fetchall() for query in QUERIES]
    connection.close()
    return rows


def test_migration_keeps_every_row_of_the_first_schema(tmp_path):
    """A journal of the first release keeps every row and accepts new kinds of rows at once."""
    path = tmp_path / "journal"
    rows = write_first_schema(path)
    with pytest.raises(JournalUnavailableError, match="version 1, not 4; start the coordinator once"):
        JournalReader.open(path)
    with Journal.open(path) as new:
        assert new.database.read("PRAGMA user_version")[0][0] == 4
        for query, before in zip(QUERIES, rows, strict=True):  # migrations append columns
            kept = [tuple(row)[: len(old)] for row, old in zip(new.database.read(query), before, strict=True)]
            assert kept == before
        assert (new.recoveries("open"), new.failures("open")) == ([], [])
        new.record_recovery("open", 1, NOON, ProbeResult.ALIVE, RecoveryAction.ADOPT)
        assert [one.number for one in new.recoveries("open")] == [1]
        assert new.next_due(["core"], uptime_s=0).request_id == "open"
        assert new.database.integrity() == []


def test_journal_rejects_a_newer_schema(journal):
    """A release never changes a journal of a later one."""
    journal.database.write("PRAGMA user_version = 99")
    journal.close()
    with pytest.raises(JournalTooNewError, match=r"cannot use .* version 99"):
        Journal.open(journal.path)


def test_migration_counts_an_answer_of_the_first_schema_from_its_settling(tmp_path):
    """The first schema has no time of publication; its settled requests are pruned nevertheless."""
    write_first_schema(tmp_path / "old")
    with Journal.open(tmp_path / "old") as new:
        assert (new.answered_uptime("done"), new.answered_uptime("open")) == (0, None)
        assert (new.prune(50, limit=10), new.existing_ids(["done", "open"])) == (1, {"open"})


def test_journal_reports_a_file_that_is_no_database_as_damaged(tmp_path):
    """A damaged journal has another error than one that cannot be reached."""
    (tmp_path / "journal").write_bytes(b"not a database" * 1000)
    with pytest.raises(JournalDamagedError, match="move the file and its -wal away"):
        Journal.open(tmp_path / "journal")


def test_integrity_finds_a_broken_page(writer, journal):
    """``integrity`` reads the whole file and returns its findings or raises an error."""
    for number in range(50):
        writer.run(f"r{number}")
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


def test_journal_is_unavailable_if_its_folder_is_missing(tmp_path):
    """A journal that cannot be opened raises an error."""
    with pytest.raises(JournalUnavailableError, match="cannot reach"):
        Journal.open(tmp_path / "none" / "journal")


def test_transaction_is_undone_on_a_full_disk(writer, journal):
    """A transaction without disk space is undone as a whole; the journal works again afterwards."""
    pages = journal.database.read("PRAGMA page_count")[0][0]
    journal.database.read(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalUnavailableError, match="full"), journal.transaction():  # noqa: PT012
        for number in range(1000):
            writer.admit(f"r{number}")
    journal.database.read("PRAGMA max_page_count = 1000000")
    assert journal.history(1) == []
    writer.run("after")


def test_opening_revokes_a_transition_that_the_table_no_longer_has(writer, journal):
    """Opening renews the table: a dropped transition stays in the history but cannot be recorded again."""
    journal.database.write("INSERT INTO moves VALUES ('fly', 'received', 'succeeded', 1)")
    writer.admit("a")
    journal.close()
    with Journal.open(journal.path) as again:
        with pytest.raises(JournalRefusedError):
            again.database.write(
                "INSERT INTO transitions VALUES ('a', 'fly', 'received', 'succeeded', 'now', NULL, '')"
            )
        assert again.database.read("SELECT legal FROM moves WHERE event = 'fly'")[0][0] == 0


def test_reader_sees_the_last_commit_of_an_open_journal(writer, journal):
    """The command line works beside the daemon."""
    with JournalReader.open(journal.path) as reader:
        writer.run("a")
        assert reader.get("a")


def test_reader_cannot_write(journal):
    """SQLite itself enforces the read-only mode."""
    with (
        JournalReader.open(journal.path) as reader,
        pytest.raises(JournalUnavailableError),
        reader.database.transaction(),
    ):
        reader.database.write("DELETE FROM requests")


def test_journal_rejects_a_read_only_connection(tmp_path, monkeypatch):
    """SQLite falls back to a read-only connection during a transient read-only state of the disk, and keeps it."""
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


def test_reader_is_unavailable_before_the_first_start(tmp_path):
    """A reader creates no file."""
    with pytest.raises(JournalUnavailableError):
        JournalReader.open(tmp_path / "journal")
    assert list(tmp_path.iterdir()) == []


def test_reader_rejects_an_older_schema(tmp_path):
    """Only the daemon migrates."""
    sqlite3.connect(tmp_path / "journal").execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(JournalUnavailableError, match="start the coordinator once"):
        JournalReader.open(tmp_path / "journal")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change to another user")
def test_reader_opens_a_closed_journal_as_an_unprivileged_user(writer, journal):
    """Without a WAL, and without write permission for the folder, the file is read as it is."""
    writer.run("a")
    journal.close()
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from fsm.journal_reader import JournalReader\n"
        "from fsm.schema import migrations; migrations()  # import while Python's files are readable\n"
        "os.chdir(sys.argv[1]); os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "print(JournalReader.open(Path('journal')).get('a').state)"
    )
    with tempfile.TemporaryDirectory() as folder:  # pytest's folders, and perhaps the checkout, are private
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


def test_inner_transaction_is_undone_with_the_outer_one(writer, journal):
    """Undoing the outer transaction undoes the inner one."""
    with pytest.raises(ZeroDivisionError), journal.transaction():  # noqa: PT012
        writer.admit("a")
        raise ZeroDivisionError
    assert journal.get("a") is None


def test_inner_transaction_that_fails_undoes_only_itself(writer, journal):
    """A caller that catches the error continues without the rows of the inner transaction."""
    with journal.transaction():
        writer.admit("a")
        with pytest.raises(ZeroDivisionError), journal.transaction():  # noqa: PT012
            writer.admit("b")
            raise ZeroDivisionError
    assert journal.existing_ids(["a", "b"]) == {"a"}


def test_non_durable_transaction_disables_fsync_only_for_itself(journal):
    """NORMAL ends with the block, even after an error; inside a durable transaction it does not apply."""
    with pytest.raises(ZeroDivisionError), journal.transaction(durable=False):  # noqa: PT012
        assert synchronous(journal) == 1
        raise ZeroDivisionError
    assert synchronous(journal) == 2
    with journal.transaction(), journal.transaction(durable=False):
        assert synchronous(journal) == 2


@pytest.mark.parametrize(
    ("sql", "values"),
    [("SELECT missing FROM requests", ()), ("SELECT ?", (1, 2)), ("INSERT INTO nothing (a) VALUES (1)", ())],
)
def test_wrong_statement_is_a_defect_and_no_fault_of_the_host(journal, sql, values):
    """Such an error is counted against the request (I16); one of the host would be retried for ever."""
    with pytest.raises(JournalRefusedError, match="report this defect"):
        journal.database.read(sql, values)


def test_closed_database_is_unavailable(tmp_path):
    """Use after close raises an error of this package."""
    database = Database.open(tmp_path / "journal")
    database.close()
    with pytest.raises(JournalUnavailableError):
        database.read("SELECT 1")


def test_journal_is_unavailable_while_another_process_writes_for_too_long(journal):
    """The wait for SQLite's lock is bounded (I16); afterwards the caller decides, and another try succeeds."""
    journal.database.write("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(journal.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnavailableError, match="locked"):
        journal.add_uptime(1.0)
    other.execute("COMMIT")
    other.close()
    journal.add_uptime(1.0)
    assert journal.uptime() == 1.0
    assert "busy_timeout = 5000" in database._PRAGMAS
