"""The rules that SQL itself enforces, tested below all Python code (I4)."""

from __future__ import annotations

import itertools

import pytest

from fsm.errors import JournalRefusedError
from fsm.transition_table import TRANSITIONS, Event
from protocol.types import State

LEGAL = {(transition.event, transition.source, transition.dest) for transition in TRANSITIONS}


@pytest.mark.parametrize("event", list(Event))
def test_sql_rejects_every_transition_outside_the_table(writer, journal, event):
    """From received, plain SQL can insert the table's transitions only."""
    for number, (source, dest) in enumerate(itertools.product(State, State)):
        writer.admit(f"{event}-{number}")
        sql = "INSERT INTO transitions VALUES (?, ?, ?, ?, 'now', NULL, '')"
        values = (f"{event}-{number}", event, source, dest)
        if source is State.RECEIVED and (event, source, dest) in LEGAL:
            assert journal.database.write(sql, values) == 1
            assert journal.get(values[0]).state is dest
        else:
            with pytest.raises(JournalRefusedError):
                journal.database.write(sql, values)
            assert journal.get(values[0]).state is State.RECEIVED


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE requests SET state = 'running' WHERE id = 'open'",
        "UPDATE requests SET state = 'validated' WHERE id = 'open'",
        "UPDATE requests SET settled_at = 'now', settled_uptime = 0 WHERE id = 'open'",
        "UPDATE requests SET published = 1 WHERE id = 'open'",
        "UPDATE requests SET message = 'other' WHERE id = 'done'",
        "UPDATE requests SET settled_at = NULL, settled_uptime = NULL WHERE id = 'done'",
        "INSERT INTO requests (id, received_at, state) VALUES ('new', 'now', 'running')",
        "INSERT INTO transitions VALUES ('done', 'fail', 'running', 'failed', 'now', NULL, '')",
        "INSERT INTO transitions VALUES ('unknown', 'accept', 'received', 'validated', 'now', NULL, '')",
        "REPLACE INTO requests (id, received_at, state) VALUES ('open', 'now', 'received')",
        "UPDATE transitions SET message = 'other' WHERE request_id = 'done'",
        "DELETE FROM transitions WHERE request_id = 'done'",
        "DELETE FROM attempts WHERE request_id = 'done'",
        "UPDATE attempts SET output = 'other' WHERE request_id = 'done'",
        "INSERT INTO attempts SELECT 'done', 2, '', '', '', '', 0, 0, 0, '', 0, 'exited', 0, '', ''",
        "DELETE FROM requests WHERE id = 'open'",
        "DELETE FROM requests WHERE id = 'done'",
    ],
)
def test_sql_rejects_changes_of_history(writer, journal, sql):
    """No statement rewrites or skips history or deletes an unpublished answer."""
    writer.admit("open")
    writer.run("done")
    with pytest.raises(JournalRefusedError, match="cannot write this"):
        journal.database.write(sql)


def test_sql_rejects_a_second_open_attempt(writer, journal):
    """A second script cannot start until the end of the first is recorded (I3)."""
    writer.admit("a")
    journal.advance(None, writer.attempt("a", 1))
    with pytest.raises(JournalRefusedError):
        journal.advance(None, writer.attempt("a", 2))
    assert journal.open_attempt("a").number == 1
