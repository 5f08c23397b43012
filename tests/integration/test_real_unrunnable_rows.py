"""Journal rows that no release writes: they are settled and block no other request (I16)."""

from __future__ import annotations

import json
import sqlite3

import pytest

INSERT = "INSERT INTO requests (id, component, action, received_at, state) VALUES (?, ?, ?, ?, ?)"
NOT_UTF_8 = "UPDATE requests SET version = CAST(x'ff' AS TEXT)"
ROWS = {
    "unknown action": ("x1", "core", "cancel", "2026-01-01T00:00:00+00:00", "received"),
    "no action": ("x1", "core", None, "2026-01-01T00:00:00+00:00", "received"),
    "no timestamp": ("x1", "core", "update", "soon", "received"),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_unrunnable_row_is_settled_and_the_next_request_is_answered(host, row):
    """The row gets an answer of its own; history and explain show it; a health request behind it succeeds."""
    host.component("core")
    host.start()
    with sqlite3.connect(host.journal, timeout=60) as journal:
        journal.execute(INSERT, row)
        journal.execute(NOT_UTF_8)
    assert host.submit_and_wait("good", "health")["success"]
    bad = host.answer("x1")
    assert (bad["success"], bad["state"], bad["reason"]) == (False, "failed", "internal_error")
    history = json.loads(host.cli("history", "--json").stdout)
    assert {record["request_id"]: record["state"] for record in history} == {"good": "succeeded", "x1": "failed"}
    explained = host.cli("explain", "x1")
    assert explained.returncode == 0
    assert "Unexpected error 5" in explained.stdout


def test_row_in_a_state_of_a_newer_release_blocks_no_lane(host):
    """The lane cannot settle the row, and skips it; every command that reads it still works."""
    host.component("core")
    host.start()
    with sqlite3.connect(host.journal, timeout=60) as journal:
        journal.execute(INSERT, ("x1", "core", "update", "2026-01-01T00:00:00+00:00", "received"))
        journal.execute("DROP TRIGGER state_follows_transitions")
        journal.execute("UPDATE requests SET state = 'paused' WHERE id = 'x1'")
    assert host.submit_and_wait("good", "health")["success"]
    for command in (("history",), ("explain", "x1"), ("status", "x1")):
        shown = host.cli(*command)
        assert shown.returncode == 0, shown.stderr
        assert "Traceback" not in shown.stderr
