"""The journal, the truth about every request (I13): each decision is committed here before it takes effect (I2)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Self

from fsm.database import Database
from fsm.errors import AlreadyKnownError, JournalRefusedError
from fsm.journal_reader import JournalReader
from fsm.records import AttemptRecord, RequestRecord, TransitionFacts
from fsm.recovery import RecoveryAction
from fsm.rows import ATTEMPT_COLUMNS, encode_attempt, encode_stamp, encode_text
from fsm.transition_table import Transition
from protocol.types import Action, ProbeResult, UnknownValue

_ERROR_CHARACTERS = 500
_INSERT_REQUEST = (
    "INSERT INTO requests (id, component, action, version, requested_at, received_at, state, rollback_of)"
    " VALUES (?, ?, ?, ?, ?, ?, 'received', ?) ON CONFLICT (id) DO NOTHING"
)
_INSERT_ATTEMPT = (
    f"INSERT INTO attempts ({', '.join(ATTEMPT_COLUMNS)})"  # noqa: S608  constants
    f" VALUES ({', '.join(f':{name}' for name in ATTEMPT_COLUMNS)})"
)
# A successful rollback keeps the reason of the failure that caused it, unless the transition has its own.
_APPLY_TRANSITION = """
    UPDATE requests SET
        message = :message,
        reason = CASE :dest
            WHEN 'succeeded' THEN NULL
            WHEN 'rolled_back' THEN COALESCE(:reason, reason)
            ELSE :reason END,
        settled_at = :settled_at,
        settled_uptime = CASE WHEN :settled_at IS NOT NULL
            THEN (SELECT value FROM meta WHERE key = 'uptime') END
    WHERE id = :id
"""


class Journal(JournalReader):
    """Writes what happens to requests; durable when a method returns, unless it says otherwise."""

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the journal at ``path`` for reading and writing, and create it when it is missing.

        Raises:
            JournalError: as ``Database.open``.
        """
        return cls(Database.open(path))

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        """See ``Database.transaction``."""
        return self.database.transaction(durable=durable)

    def insert(
        self,
        request_id: str,
        component: str | None,
        action: Action | UnknownValue | None,
        version: str | None,
        requested_at: datetime | None,
        received_at: datetime,
        rollback_of: str | None = None,
    ) -> RequestRecord:
        """Admit a request, in state received; return it as the journal holds it.

        Raises:
            AlreadyKnownError: the id was admitted before (I7).
        """
        values = (
            request_id,
            encode_text(component),
            action,
            encode_text(version),
            encode_stamp(requested_at),
            encode_stamp(received_at),
            rollback_of,
        )
        with self.transaction():
            if self.database.write(_INSERT_REQUEST, values) == 0:
                raise AlreadyKnownError(
                    f"cannot admit request {request_id} again: the journal has it; use a new id for a new request"
                )
            return self._present(request_id)

    def record_transition(self, request_id: str, transition: Transition, facts: TransitionFacts) -> RequestRecord:
        """Write one transition and all that becomes true with it; return the request as it is after it.

        Raises:
            JournalRefusedError: the request is in another state or settled, or the transition is illegal (I4).
        """
        values = {
            "id": request_id,
            "event": transition.event,
            "source": transition.source,
            "dest": transition.dest,
            "at": encode_stamp(facts.at),
            "reason": facts.reason,
            "message": encode_text(facts.message),
            "settled_at": encode_stamp(facts.at) if facts.settles else None,
        }
        with self.transaction():
            self._replace_attempt(facts.finish, facts.begin)
            self.database.write(
                "INSERT INTO transitions (request_id, event, source, dest, at, reason, message)"
                " VALUES (:id, :event, :source, :dest, :at, :reason, :message)",
                values,
            )
            self.database.write(_APPLY_TRANSITION, values)
            return self._present(request_id)

    def advance(self, finish: AttemptRecord | None, begin: AttemptRecord | None) -> None:
        """Go from one script to the next within a state; ``begin`` is committed before its script starts (I2)."""
        with self.transaction():
            self._replace_attempt(finish, begin)

    def defer(self, request_id: str, at: datetime, due_uptime_s: float, why: str) -> None:
        """Record that a validated request is not due before that running time (seconds), and why.

        Not durable: after a power cut the rules are evaluated again.
        """
        with self.transaction(durable=False):
            self._update_one(
                request_id,
                "UPDATE requests SET due_uptime = ?, deferred_at = ?, deferred_why = ? WHERE id = ?",
                (due_uptime_s, encode_stamp(at), encode_text(why), request_id),
            )

    def identify(self, request_id: str, number: int, pid: int, start_ticks: int) -> None:
        """Record the process of an open attempt. Not durable: a process does not outlive a power cut."""
        with self.transaction(durable=False):
            self._update_one(
                request_id,
                "UPDATE attempts SET pid = ?, start_ticks = ? WHERE request_id = ? AND number = ?",
                (pid, start_ticks, request_id, number),
            )

    def record_recovery(
        self, request_id: str, number: int, at: datetime, probe: ProbeResult, action: RecoveryAction
    ) -> None:
        """Record what a restart found of an attempt, before it acts on it. Not durable: no decision reads it."""
        with self.transaction(durable=False):
            self.database.write(
                "INSERT INTO resumptions (request_id, number, at, trace, resumption) VALUES (?, ?, ?, ?, ?)",
                (request_id, number, encode_stamp(at), probe, action),
            )

    def record_failure(self, request_id: str, at: datetime, error: str) -> int:
        """Record one unexpected error while a request was driven; return how many there are, including it (I16)."""
        with self.transaction():
            self.database.write(
                "INSERT INTO failures (request_id, at, error) VALUES (?, ?, ?)",
                (request_id, encode_stamp(at), encode_text(error[:_ERROR_CHARACTERS])),
            )
            return len(self.failures(request_id))

    def set_rollback_of(self, request_id: str, target: str | None) -> None:
        """Record which update a rollback undoes, before it starts (I8)."""
        with self.transaction():
            self._update_one(request_id, "UPDATE requests SET rollback_of = ? WHERE id = ?", (target, request_id))

    def count_resume(self, request_id: str) -> int:
        """Count one more resume, before it is tried; return how many there are, including it (I9)."""
        with self.transaction():
            self._update_one(request_id, "UPDATE requests SET resumes = resumes + 1 WHERE id = ?", (request_id,))
            return int(self.database.read("SELECT resumes FROM requests WHERE id = ?", (request_id,))[0][0])

    def mark_published(self, request_id: str) -> None:
        """Record that the answer is published, from now on. Not durable: publishing it again does no harm."""
        with self.transaction(durable=False):
            self._update_one(
                request_id,
                "UPDATE requests SET published = 1, answered_uptime = (SELECT value FROM meta WHERE key = 'uptime')"
                " WHERE id = ?",
                (request_id,),
            )

    def requeue_answer(self, request_id: str) -> bool:
        """Queue the recorded answer again, for an id that was submitted again; return whether the id is known (I7)."""
        with self.transaction():
            return self.database.write("UPDATE requests SET published = 0 WHERE id = ?", (request_id,)) == 1

    def add_uptime(self, seconds: float) -> None:
        """Add ``seconds`` (≥ 0) of running time. Not durable: lost seconds only mean that history is kept longer."""
        with self.transaction(durable=False):
            self.database.write("UPDATE meta SET value = value + ? WHERE key = 'uptime'", (seconds,))

    def prune(self, older_than_uptime: float, limit: int, keep: Sequence[str] = ()) -> int:
        """Delete up to ``limit`` requests last answered before that running time (s), except the ids in ``keep``.

        Returns:
            How many (I12).
        """
        with self.transaction():
            return self.database.write(
                "DELETE FROM requests WHERE rowid IN (SELECT rowid FROM requests INDEXED BY prunable"
                " WHERE published = 1 AND answered_uptime < ? AND id NOT IN (SELECT value FROM json_each(?))"
                " ORDER BY answered_uptime LIMIT ?)",
                (older_than_uptime, json.dumps(list(keep)), limit),
            )

    def _present(self, request_id: str) -> RequestRecord:
        """The request as it is now. Queried, since RETURNING builds a temporary table at each run."""
        return self._requests("WHERE id = ?", (request_id,))[0]

    def _replace_attempt(self, finish: AttemptRecord | None, begin: AttemptRecord | None) -> None:
        """End one attempt, then begin the other: at most one is open."""
        if finish is not None:
            self._update_one(
                finish.request_id,
                "UPDATE attempts SET pid = COALESCE(:pid, pid), start_ticks = COALESCE(:start_ticks, start_ticks),"
                " ended_at = :ended_at, seconds = :seconds, ending = :ending, exit_code = :exit_code,"
                " output = :output, error = :error WHERE request_id = :request_id AND number = :number",
                encode_attempt(finish),
            )
        if begin is not None:
            self.database.write(_INSERT_ATTEMPT, encode_attempt(begin))

    def _update_one(self, request_id: str, sql: str, values: tuple[object, ...] | dict[str, object]) -> None:
        """Change exactly one row; a change that matches none is a defect of the caller."""
        if self.database.write(sql, values) != 1:
            raise JournalRefusedError(
                f"cannot record this of request {request_id}: the journal {self.path} has no such request or attempt; "
                "please report this defect"
            )
