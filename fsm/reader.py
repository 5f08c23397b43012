"""Every question the journal answers. Each is held to an index, so none slows down as history grows."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING

from fsm.database import Database
from fsm.records import AttemptRecord, RecoveryRecord, RequestRecord, TransitionRecord
from fsm.recovery import RecoveryAction
from protocol.types import Action, ExitKind, Reason, State

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from fsm.database import Row

_CHUNK = 500  # SQLite's oldest limit on values in one statement is 999
REQUEST_COLUMNS = (
    "id, component, action, version, requested_at, received_at, state, reason, message,"
    " rollback_of, resumes, settled_at, published"
)
_ATTEMPT = ", ".join(field.name for field in fields(AttemptRecord))


class Reader(Database):
    """The journal as the command line sees it: questions only."""

    def existing_ids(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that the journal has seen (I7)."""
        return self._among(ids, "SELECT id FROM requests WHERE id IN (SELECT value FROM json_each(?))")

    def active_ids(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that are under way or whose answer is not out yet: nobody else may touch their files."""
        return self._among(
            ids,
            "SELECT id FROM requests WHERE id IN (SELECT value FROM json_each(?))"
            " AND (settled_at IS NULL OR published = 0)",
        )

    def _among(self, ids: Sequence[str], sql: str) -> set[str]:
        """One statement whatever the number of ids: SQLite keeps every statement it compiled (I12)."""
        found: set[str] = set()
        for start in range(0, len(ids), _CHUNK):
            rows = self.read(sql, (json.dumps(ids[start : start + _CHUNK]),))
            found.update(row[0] for row in rows)
        return found

    def answered_uptime(self, request_id: str) -> float | None:
        """The coordinator's running time, in seconds, at its latest answer; None when not known."""
        rows = self.read("SELECT answered_uptime FROM requests WHERE id = ?", (request_id,))
        return rows[0][0] if rows else None

    def get(self, request_id: str) -> RequestRecord | None:
        """The request of that id."""
        return _first(self._requests("WHERE id = ?", (request_id,)))

    def attempts(self, request_id: str) -> list[AttemptRecord]:
        """Its script runs, in order."""
        rows = self.read(f"SELECT {_ATTEMPT} FROM attempts WHERE request_id = ? ORDER BY number", (request_id,))  # noqa: S608  a constant
        return [_attempt(row) for row in rows]

    def open_attempt(self, request_id: str) -> AttemptRecord | None:
        """Its script run that is not known to be over; there is never more than one."""
        rows = self.read(f"SELECT {_ATTEMPT} FROM attempts WHERE request_id = ? AND ending IS NULL", (request_id,))  # noqa: S608  a constant
        return _attempt(rows[0]) if rows else None

    def transitions(self, request_id: str) -> list[TransitionRecord]:
        """Its moves, in order."""
        rows = self.read(
            "SELECT request_id, event, source, dest, at, reason, message FROM transitions"
            " WHERE request_id = ? ORDER BY rowid",
            (request_id,),
        )
        return [_transition(row) for row in rows]

    def resumptions(self, request_id: str) -> list[RecoveryRecord]:
        """What restarts found of its script runs, in order."""
        rows = self.read(
            "SELECT request_id, number, at, trace, resumption FROM resumptions WHERE request_id = ? ORDER BY rowid",
            (request_id,),
        )
        return [_resumption(row) for row in rows]

    def history(self, limit: int, component: str | None = None) -> list[RequestRecord]:
        """The last ``limit`` requests, newest first."""
        if component is None:
            return self._requests("ORDER BY rowid DESC LIMIT ?", (limit,))
        return self._requests("INDEXED BY history WHERE component = ? ORDER BY rowid DESC LIMIT ?", (component, limit))

    def unpublished(self, limit: int) -> list[RequestRecord]:
        """Settled requests whose answer is not known to be out, oldest first (I1)."""
        return self._requests(
            "INDEXED BY unpublished WHERE settled_at IS NOT NULL AND published = 0 ORDER BY rowid LIMIT ?", (limit,)
        )

    def next_due(self, components: Collection[str]) -> RequestRecord | None:
        """What these components have to do next: what has begun first, then what came first."""
        if not components:
            return None
        first = [
            row[0]
            for component in components
            for row in self.read(
                "SELECT rowid FROM requests INDEXED BY due WHERE settled_at IS NULL AND component = ?"
                " ORDER BY rowid LIMIT 1",
                (component,),
            )
        ]
        begun = self.read(
            f"SELECT rowid FROM requests INDEXED BY begun WHERE component IN ({_marks(components)})"  # noqa: S608  marks
            " AND settled_at IS NULL AND state IN ('running', 'failed') ORDER BY rowid LIMIT 1",
            tuple(components),
        )
        rowid = begun[0][0] if begun else min(first, default=None)
        return _first(self._requests("WHERE rowid = ?", (rowid,)))

    def orphaned(self, components: Collection[str]) -> list[RequestRecord]:
        """Unsettled requests of none of these components, oldest first: nobody would ever finish them (I9)."""
        return self._requests(
            "INDEXED BY due WHERE settled_at IS NULL"
            f" AND (component IS NULL OR component NOT IN ({_marks(components)})) ORDER BY rowid",
            tuple(components),
        )

    def counts(self) -> dict[State, int]:
        """How many unsettled requests are in each state; states with none are left out."""
        rows = self.read("SELECT state, COUNT(*) FROM requests INDEXED BY due WHERE settled_at IS NULL GROUP BY state")
        return {State(state): count for state, count in rows}

    def last_update(self, component: str) -> str | None:
        """The update that a rollback of ``component`` would undo: the last that ran and was not undone since (I8)."""
        rows = self.read(
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
        """Seconds the coordinator has run with this journal; unlike the wall clock it never jumps (I11)."""
        return float(self.read("SELECT value FROM meta WHERE key = 'uptime'")[0][0])

    def _requests(self, rest: str, values: Sequence[object]) -> list[RequestRecord]:
        return [request_record(row) for row in self.read(f"SELECT {REQUEST_COLUMNS} FROM requests {rest}", values)]  # noqa: S608  constants


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))


def _first(records: list[RequestRecord]) -> RequestRecord | None:
    return records[0] if records else None


def _stamp(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def request_record(row: Row) -> RequestRecord:
    """The request in a row of ``REQUEST_COLUMNS``."""
    return RequestRecord(
        request_id=row["id"],
        component=row["component"],
        action=None if row["action"] is None else Action(row["action"]),
        version=row["version"],
        requested_at=_stamp(row["requested_at"]),
        received_at=datetime.fromisoformat(row["received_at"]),
        state=State(row["state"]),
        reason=None if row["reason"] is None else Reason(row["reason"]),
        message=row["message"],
        rollback_of=row["rollback_of"],
        resumes=row["resumes"],
        settled_at=_stamp(row["settled_at"]),
        published=bool(row["published"]),
    )


def _attempt(row: Row) -> AttemptRecord:
    facts = dict(row)
    facts.update(
        state=State(row["state"]),
        started_at=datetime.fromisoformat(row["started_at"]),
        ended_at=_stamp(row["ended_at"]),
        ending=None if row["ending"] is None else ExitKind(row["ending"]),
    )
    return AttemptRecord(**facts)


def _transition(row: Row) -> TransitionRecord:
    return TransitionRecord(
        request_id=row["request_id"],
        event=row["event"],
        source=State(row["source"]),
        dest=State(row["dest"]),
        at=datetime.fromisoformat(row["at"]),
        reason=None if row["reason"] is None else Reason(row["reason"]),
        message=row["message"],
    )


def _resumption(row: Row) -> RecoveryRecord:
    return RecoveryRecord(
        request_id=row["request_id"],
        number=row["number"],
        at=datetime.fromisoformat(row["at"]),
        trace=row["trace"],
        resumption=RecoveryAction(row["resumption"]),
    )
