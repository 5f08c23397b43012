"""The rules that SQL itself keeps, tried by going round everything above it (I4)."""

from __future__ import annotations

import itertools

import pytest

from fsm.errors import JournalRefusedError
from fsm.transition_table import TRANSITIONS, Event
from protocol.types import State

LEGAL = {(move.event, move.source, move.dest) for move in TRANSITIONS}


@pytest.mark.parametrize("event", list(Event))
def test_sql_refuses_every_transition_that_is_no_move(story, journal, event):
    """From received, only the table's transitions can be inserted by hand."""
    for number, (source, dest) in enumerate(itertools.product(State, State)):
        story.admit(f"{event}-{number}")
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
        "INSERT INTO transitions VALUES ('nobody', 'accept', 'received', 'validated', 'now', NULL, '')",
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
def test_sql_refuses_to_falsify(story, journal, sql):
    """No statement rewrites history, skips it, or forgets an answer that is not out."""
    story.admit("open")
    story.run("done")
    with pytest.raises(JournalRefusedError, match="cannot write this"):
        journal.database.write(sql)


def test_a_request_has_one_open_attempt_at_most(story, journal):
    """A second script cannot begin while the first is not known to be over (I3)."""
    story.admit("a")
    journal.advance(None, story.attempt("a", 1))
    with pytest.raises(JournalRefusedError):
        journal.advance(None, story.attempt("a", 2))
    assert journal.open_attempt("a").number == 1
