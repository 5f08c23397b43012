"""The truth about every request (I13): whatever is decided is written here before it is done (I2)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fsm.errors import AlreadyKnownError, JournalRefusedError
from fsm.reader import REQUEST_COLUMNS, Reader, request_record

if TYPE_CHECKING:
    from fsm.records import AttemptRecord, RequestRecord
    from fsm.recovery import RecoveryAction
    from fsm.transition_table import Event
    from protocol.types import Action, ProbeResult, Reason, State, UnknownValue


_INSERT = (
    "INSERT INTO requests (id, component, action, version, requested_at, received_at, state, rollback_of)"  # noqa: S608  constants
    f" VALUES (?, ?, ?, ?, ?, ?, 'received', ?) ON CONFLICT (id) DO NOTHING RETURNING {REQUEST_COLUMNS}"
)


class Journal(Reader):
    """Writes what happens to requests; durable when a method returns, unless it says otherwise."""

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
        """Admit a request into the journal, in state received; return it as it stands there.

        Raises:
            AlreadyKnownError: the id was admitted before (I7).
        """
        with self.transaction():
            added = self.read(
                _INSERT,
                (
                    request_id,
                    _text(component),
                    action,
                    _text(version),
                    _iso(requested_at),
                    _iso(received_at),
                    rollback_of,
                ),
            )
            if not added:
                raise AlreadyKnownError(
                    f"cannot admit request {request_id} again: the journal knows it; choose another id for a new wish"
                )
        return request_record(added[0])

    def record_transition(
        self,
        request_id: str,
        event: Event,
        source: State,
        dest: State,
        *,
        at: datetime,
        reason: Reason | UnknownValue | None,
        message: str,
        finish: AttemptRecord | None,
        begin: AttemptRecord | None,
        settles: bool,
    ) -> None:
        """Write one move and all that becomes true with it.

        A rollback that worked keeps the reason of the failure that called for it, unless it brings its own.

        Raises:
            JournalRefusedError: the request is not in ``source``, is settled, or the table has no such move (I4).
        """
        facts = {
            "id": request_id,
            "event": event,
            "source": source,
            "dest": dest,
            "at": _iso(at),
            "reason": reason,
            "message": _text(message),
            "settled_at": _iso(at) if settles else None,
        }
        with self.transaction():
            self._exchange(finish, begin)
            self.write(
                "INSERT INTO transitions (request_id, event, source, dest, at, reason, message)"
                " VALUES (:id, :event, :source, :dest, :at, :reason, :message)",
                facts,
            )
            self.write(
                """
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
                """,
                facts,
            )

    def advance(self, finish: AttemptRecord | None, begin: AttemptRecord | None) -> None:
        """Go from one script to the next within a state; write ``begin`` before its script starts (I2)."""
        with self.transaction():
            self._exchange(finish, begin)

    def identify(self, request_id: str, number: int, pid: int, start_ticks: int) -> None:
        """Note which process an open attempt became. Not durable: a process never outlives a power cut."""
        with self.transaction(durable=False):
            self._update_one(
                request_id,
                "UPDATE attempts SET pid = ?, start_ticks = ? WHERE request_id = ? AND number = ?",
                (pid, start_ticks, request_id, number),
            )

    def note_resumption(
        self, request_id: str, number: int, at: datetime, trace: ProbeResult, resumption: RecoveryAction
    ) -> None:
        """Note what a restart found of an attempt, before it acts on it. Not durable: nothing is decided by it."""
        with self.transaction(durable=False):
            self.write(
                "INSERT INTO resumptions (request_id, number, at, trace, resumption) VALUES (?, ?, ?, ?, ?)",
                (request_id, number, _iso(at), trace, resumption),
            )

    def set_rollback_of(self, request_id: str, target: str | None) -> None:
        """Note which update a rollback undoes, before it starts (I8)."""
        with self.transaction():
            self._update_one(request_id, "UPDATE requests SET rollback_of = ? WHERE id = ?", (target, request_id))

    def count_resume(self, request_id: str) -> int:
        """Count one more resumption, before it is tried; how many there were with it (I9)."""
        with self.transaction():
            self._update_one(request_id, "UPDATE requests SET resumes = resumes + 1 WHERE id = ?", (request_id,))
            return int(self.read("SELECT resumes FROM requests WHERE id = ?", (request_id,))[0][0])

    def finalize(self, request_id: str, at: datetime) -> None:
        """Close a request whose last move did not; its state, reason and message are the answer (I1)."""
        with self.transaction():
            self._update_one(
                request_id,
                "UPDATE requests SET settled_at = ?, settled_uptime = (SELECT value FROM meta WHERE key = 'uptime')"
                " WHERE id = ?",
                (_iso(at), request_id),
            )

    def mark_published(self, request_id: str) -> None:
        """Note that the answer is out, from now on. Not durable: when forgotten, publishing it again is harmless."""
        with self.transaction(durable=False):
            self._update_one(
                request_id,
                "UPDATE requests SET published = 1, answered_uptime = (SELECT value FROM meta WHERE key = 'uptime')"
                " WHERE id = ?",
                (request_id,),
            )

    def requeue_answer(self, request_id: str) -> bool:
        """Note that a request, if it is known, was submitted again and waits for its recorded answer (I7)."""
        with self.transaction():
            return self.write("UPDATE requests SET published = 0 WHERE id = ?", (request_id,)) == 1

    def add_uptime(self, seconds: float) -> None:
        """Count ``seconds`` (≥ 0) of running. Not durable: lost seconds only keep history a little longer."""
        with self.transaction(durable=False):
            self.write("UPDATE meta SET value = value + ? WHERE key = 'uptime'", (seconds,))

    def prune(self, older_than_uptime: float, limit: int) -> int:
        """Forget up to ``limit`` requests last answered before that uptime (seconds); how many went (I12)."""
        with self.transaction():
            return self.write(
                "DELETE FROM requests WHERE rowid IN (SELECT rowid FROM requests INDEXED BY prunable"
                " WHERE published = 1 AND answered_uptime < ? ORDER BY answered_uptime LIMIT ?)",
                (older_than_uptime, limit),
            )

    def _exchange(self, finish: AttemptRecord | None, begin: AttemptRecord | None) -> None:
        """End one attempt, then begin the other: at most one is ever open."""
        if finish is not None:
            self._update_one(
                finish.request_id,
                "UPDATE attempts SET pid = COALESCE(:pid, pid), start_ticks = COALESCE(:start_ticks, start_ticks),"
                " ended_at = :ended_at, seconds = :seconds, ending = :ending, exit_code = :exit_code,"
                " output = :output, error = :error WHERE request_id = :request_id AND number = :number",
                _columns(finish),
            )
        if begin is not None:
            self.write(
                "INSERT INTO attempts VALUES (:request_id, :number, :state, :script, :boot_id, :started_at,"
                " :started_monotonic, :pid, :start_ticks, :ended_at, :seconds, :ending, :exit_code, :output, :error)",
                _columns(begin),
            )

    def _update_one(self, request_id: str, sql: str, values: tuple[object, ...] | dict[str, object]) -> None:
        """Change exactly one row; a change that meets none is a defect of the caller, not a success."""
        if self.write(sql, values) != 1:
            raise JournalRefusedError(
                f"cannot note this about request {request_id}: the journal {self.path} has no such request or attempt; "
                "please report this defect"
            )


def _columns(attempt: AttemptRecord) -> dict[str, object]:
    return vars(attempt) | {
        "started_at": _iso(attempt.started_at),
        "ended_at": _iso(attempt.ended_at),
        "output": _text(attempt.output),
        "error": _text(attempt.error),
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _text(value: str | None) -> str | None:
    r"""Half a surrogate pair, as JSON's ``"\ud800"`` smuggles in, must not keep the truth from being written."""
    return None if value is None else value.encode("utf-8", "replace").decode("utf-8")
