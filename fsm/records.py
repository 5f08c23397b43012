"""What the journal tells: plain, frozen facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from protocol.types import Action, ExitKind, Reason, State

if TYPE_CHECKING:
    from fsm.recovery import RecoveryAction
    from protocol.types import ProbeResult


@dataclass(frozen=True)
class RequestRecord:
    """A request as the journal knows it. ``component`` and ``action`` are None when it could not be read that far.

    ``published`` may still be False after a power cut although the answer is out; never the other way round.
    """

    request_id: str
    component: str | None
    action: Action | None
    version: str | None
    requested_at: datetime | None
    received_at: datetime
    state: State
    reason: Reason | None
    message: str
    rollback_of: str | None
    resumes: int
    settled_at: datetime | None
    published: bool


@dataclass(frozen=True)
class AttemptRecord:
    """One run of one script. ``ending`` is None while it is not known to be over.

    ``pid``, ``start_ticks`` (clock ticks since boot) and ``boot_id`` together name the session's process beyond
    doubt; ``started_monotonic`` (seconds) counts only within that boot.
    """

    request_id: str
    number: int
    state: State
    script: str
    boot_id: str
    started_at: datetime
    started_monotonic: float
    pid: int | None = None
    start_ticks: int | None = None
    ended_at: datetime | None = None
    seconds: float | None = None
    ending: ExitKind | None = None
    exit_code: int | None = None
    output: str = ""
    error: str = ""


@dataclass(frozen=True)
class TransitionRecord:
    """One move of a request, with what was said about it."""

    request_id: str
    event: str
    source: State
    dest: State
    at: datetime
    reason: Reason | None
    message: str


@dataclass(frozen=True)
class RecoveryRecord:
    """What a coordinator that was started again found of attempt ``number``, and what it decided about it."""

    request_id: str
    number: int
    at: datetime
    trace: ProbeResult
    resumption: RecoveryAction
