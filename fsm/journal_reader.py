"""Queries of the journal, read-only. Each uses an index, so that none slows down as history grows (I12)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Self

from fsm.database import Database
from fsm.records import AttemptRecord, FailureRecord, RecoveryRecord, RequestRecord, TransitionRecord
from fsm.rows import (
    ATTEMPT_COLUMNS,
    REQUEST_COLUMNS,
    decode_attempt,
    decode_failure,
    decode_recovery,
    decode_request_row,
    decode_state,
    decode_transition,
)
from protocol.types import State, UnknownValue

_CHUNK = 500  # SQLite's oldest limit on values in one statement is 999
_ATTEMPTS = f"SELECT {', '.join(ATTEMPT_COLUMNS)} FROM attempts WHERE request_id = ?"  # noqa: S608  constants
_AMONG = "SELECT requests.id FROM json_each(?) AS wanted CROSS JOIN requests ON requests.id = wanted.value"

# One statement, since each lane runs it between two requests, with one index lookup per component. ``IN`` with a list
# of components or rows would build a temporary table at each run: that costs more than all the rest of the statement.
NEXT_DUE = """
    WHERE rowid = COALESCE(
        (
            SELECT MIN(first) FROM (
                SELECT (
                    SELECT rowid FROM requests INDEXED BY begun
                    WHERE component = lane.column1
                        AND settled_at IS NULL AND state IN ('running', 'failed') {not_skipped}
                    ORDER BY rowid LIMIT 1
                ) AS first
                FROM (VALUES {components}) AS lane
            )
        ),
        (
            SELECT MIN(first) FROM (
                SELECT (
                    SELECT rowid FROM requests INDEXED BY due
                    WHERE settled_at IS NULL AND component = lane.column1
                        AND (due_uptime IS NULL OR due_uptime <= :uptime OR typeof(due_uptime) IN ('text', 'blob'))
                        {not_skipped}
                    ORDER BY rowid LIMIT 1
                ) AS first
                FROM (VALUES {components}) AS lane
            )
        )
    )
"""


class JournalReader:
    """The journal as commands see it: queries only."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the journal at ``path`` read-only; a running coordinator may be using it.

        Raises:
            JournalError: as ``Database.open``.
        """
        return cls(Database.open(path, read_only=True))

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self.database.path

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def existing_ids(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that the journal holds (I7)."""
        return self._among(ids, _AMONG)

    def open_ids(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that are unsettled or unpublished: only their lane and the publisher handle their files."""
        return self._among(ids, f"{_AMONG} WHERE settled_at IS NULL OR published = 0")

    def _among(self, ids: Sequence[str], sql: str) -> set[str]:
        """One statement for any number of ids: SQLite caches each compiled statement (I12)."""
        found: set[str] = set()
        for start in range(0, len(ids), _CHUNK):
            rows = self.database.read(sql, (json.dumps(ids[start : start + _CHUNK]),))
            found.update(row[0] for row in rows)
        return found

    def answered_uptime(self, request_id: str) -> float | None:
        """The coordinator's running time, in seconds, at the latest answer to a request; None when not known."""
        rows = self.database.read("SELECT answered_uptime FROM requests WHERE id = ?", (request_id,))
        return rows[0][0] if rows else None

    def get(self, request_id: str) -> RequestRecord | None:
        """The request of that id."""
        return _first(self._requests("WHERE id = ?", (request_id,)))

    def attempts(self, request_id: str) -> list[AttemptRecord]:
        """Its script runs, in order."""
        rows = self.database.read(f"{_ATTEMPTS} ORDER BY number", (request_id,))
        return [decode_attempt(row) for row in rows]

    def open_attempt(self, request_id: str) -> AttemptRecord | None:
        """Its script run that is not known to be over; there is at most one."""
        rows = self.database.read(f"{_ATTEMPTS} AND ending IS NULL", (request_id,))
        return decode_attempt(rows[0]) if rows else None

    def transitions(self, request_id: str) -> list[TransitionRecord]:
        """Its transitions, in order."""
        rows = self.database.read(
            "SELECT request_id, event, source, dest, at, reason, message FROM transitions"
            " WHERE request_id = ? ORDER BY rowid",
            (request_id,),
        )
        return [decode_transition(row) for row in rows]

    def recoveries(self, request_id: str) -> list[RecoveryRecord]:
        """What restarts found of its script runs, in order."""
        rows = self.database.read(
            "SELECT request_id, number, at, trace, resumption FROM resumptions WHERE request_id = ? ORDER BY rowid",
            (request_id,),
        )
        return [decode_recovery(row) for row in rows]

    def failures(self, request_id: str) -> list[FailureRecord]:
        """The unexpected errors while it was driven, in order."""
        rows = self.database.read(
            "SELECT request_id, at, error FROM failures WHERE request_id = ? ORDER BY rowid", (request_id,)
        )
        return [decode_failure(row) for row in rows]

    def history(self, limit: int, component: str | None = None) -> list[RequestRecord]:
        """The last ``limit`` requests, newest first."""
        if component is None:
            return self._requests("ORDER BY rowid DESC LIMIT ?", (limit,))
        return self._requests("INDEXED BY history WHERE component = ? ORDER BY rowid DESC LIMIT ?", (component, limit))

    def unpublished(self, limit: int, after: int = 0) -> list[RequestRecord]:
        """Settled requests whose answer is not known to be published, oldest first (I1).

        Args:
            limit: how many at most.
            after: skip everything up to this ``row``.
        """
        return self._requests(
            "INDEXED BY unpublished WHERE settled_at IS NOT NULL AND published = 0"
            " AND rowid > ? ORDER BY rowid LIMIT ?",
            (after, limit),
        )

    def next_due(
        self, components: Collection[str], *, uptime_s: float, skip: Collection[int] = ()
    ) -> RequestRecord | None:
        """The request that these components run next: one that has begun, else the one that was admitted first.

        Args:
            components: those of one lane.
            uptime_s: the present running time; a request deferred beyond it is not due.
            skip: ``row`` of each request to leave out.
        """
        if not components:
            return None
        values: dict[str, object] = {f"component{number}": name for number, name in enumerate(components)}
        values |= {"uptime": uptime_s, "skip": json.dumps(list(skip))}
        return _first(self._requests(_next_due(len(components), has_skipped=bool(skip)), values))

    def next_due_uptime(self, components: Collection[str], *, uptime_s: float) -> float | None:
        """The running time (seconds) at which the next deferred request of these components is due, or None."""
        rows = self.database.read(
            "SELECT MIN(due_uptime) FROM requests INDEXED BY due"  # noqa: S608  marks
            f" WHERE settled_at IS NULL AND component IN ({_marks(components)}) AND due_uptime > ?"
            " AND typeof(due_uptime) = 'real'",
            (*components, uptime_s),
        )
        found: float | None = rows[0][0]
        return found

    def unconfigured(self, components: Collection[str]) -> list[RequestRecord]:
        """Unsettled requests of none of these components, oldest first: no lane would finish them (I9)."""
        return self._requests(
            "INDEXED BY due WHERE settled_at IS NULL"
            f" AND (component IS NULL OR component NOT IN ({_marks(components)})) ORDER BY rowid",
            tuple(components),
        )

    def counts(self) -> dict[State | UnknownValue, int]:
        """How many unsettled requests are in each state; states with none are left out."""
        rows = self.database.read(
            "SELECT state, COUNT(*) FROM requests INDEXED BY due WHERE settled_at IS NULL GROUP BY state"
        )
        return {decode_state(state): count for state, count in rows}

    def last_update(self, component: str) -> str | None:
        """The update that a rollback of ``component`` would undo: the last that ran and was not undone since (I8)."""
        rows = self.database.read(
            """
            SELECT id FROM requests AS done INDEXED BY updates
            WHERE component = ? AND action = 'update' AND state IN ('succeeded', 'failed')
                AND EXISTS (SELECT 1 FROM attempts WHERE request_id = done.id AND ending IS NOT 'not_started')
                AND NOT EXISTS (
                    SELECT 1 FROM requests AS undo
                    WHERE undo.rollback_of = done.id AND undo.state = 'succeeded' AND undo.rowid > done.rowid
                )
            ORDER BY rowid DESC LIMIT 1
            """,
            (component,),
        )
        return rows[0][0] if rows else None

    def uptime(self) -> float:
        """The recorded running time: seconds the coordinator has run with this journal; it never jumps (I11)."""
        return float(self.database.read("SELECT value FROM meta WHERE key = 'uptime'")[0][0])

    def _requests(self, rest: str, values: Sequence[object] | Mapping[str, object]) -> list[RequestRecord]:
        rows = self.database.read(f"SELECT {REQUEST_COLUMNS} FROM requests {rest}", values)  # noqa: S608  constants
        return [decode_request_row(row) for row in rows]


@cache
def _next_due(components: int, *, has_skipped: bool) -> str:
    return NEXT_DUE.format(
        components=", ".join(f"(:component{number})" for number in range(components)),
        not_skipped="AND rowid NOT IN (SELECT value FROM json_each(:skip))" if has_skipped else "",
    )


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))


def _first(records: list[RequestRecord]) -> RequestRecord | None:
    return records[0] if records else None
