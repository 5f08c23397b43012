"""The final status of a settled request, from the journal alone: the same each time it is composed (I7)."""

from __future__ import annotations

from fsm.records import AttemptRecord, RequestRecord
from protocol.messages import Attempt, FinalStatus
from protocol.types import ExitKind, Reason, State


def compose_status(
    record: RequestRecord, attempts: list[AttemptRecord], output_bytes: int
) -> tuple[FinalStatus, Exception | None]:
    """The status that is published for a settled request: complete, or reduced if its rows do not make a complete one.

    Returns:
        The status, and why it is a reduced one; None for a complete one.
    """
    try:
        return final_status(record, attempts, output_bytes), None
    except (ValueError, TypeError) as error:
        return reduced_status(record), error


def final_status(record: RequestRecord, attempts: list[AttemptRecord], output_bytes: int) -> FinalStatus:
    """Compose the status; ``output_bytes`` bounds what it quotes of each stream, in characters.

    Raises:
        ValidationError: a row holds a value that no status can have; see ``reduced_status``.
    """
    ran = [attempt for attempt in attempts if attempt.ending is not ExitKind.NOT_STARTED]
    settled_at = record.settled_at or record.received_at
    return FinalStatus(
        request_id=record.request_id,
        component=record.component,
        action=record.action,
        version=record.version,
        success=record.state is State.SUCCEEDED,
        state=State(record.state),
        reason=record.reason,
        message=record.message,
        output=_bounded("".join(attempt.output for attempt in ran), output_bytes),
        error=_bounded("".join(attempt.error for attempt in ran), output_bytes),
        exit_code=_deciding_exit_code(ran),
        timestamp=settled_at,
        started_at=ran[0].started_at if ran else None,
        finished_at=settled_at,
        attempts=tuple(
            Attempt(script=attempt.script, exit_code=attempt.exit_code, seconds=attempt.seconds) for attempt in ran
        ),
    )


def reduced_status(record: RequestRecord) -> FinalStatus:
    """The status without the scripts' output, for a request whose rows do not make a complete one."""
    settled_at = record.settled_at or record.received_at
    is_success = record.state is State.SUCCEEDED
    return FinalStatus(
        request_id=record.request_id,
        component=None,
        action=None,
        version=None,
        success=is_success,
        state=record.state if isinstance(record.state, State) else State.FAILED,
        reason=None if is_success else Reason.INTERNAL_ERROR,
        message=f"{record.message}; the rest of the answer cannot be composed: see update-coordinator explain".lstrip(
            "; "
        ),
        output="",
        error="",
        exit_code=None,
        timestamp=settled_at,
        started_at=None,
        finished_at=settled_at,
    )


def _deciding_exit_code(ran: list[AttemptRecord]) -> int | None:
    """The exit code of the first script that failed; of the last one when none did."""
    wrong = [a for a in ran if a.state is State.RUNNING and (a.ending is not ExitKind.EXITED or a.exit_code != 0)]
    return (wrong or ran[-1:])[0].exit_code if ran else None


def _bounded(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"
