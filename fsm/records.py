"""Rows of the journal as frozen models.

A value of an enumeration that this release does not know is an ``UnknownValue``: a row that a newer release wrote, or a
person inserted, can always be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from fsm.recovery import RecoveryAction
from fsm.transition_table import Event
from protocol.types import Action, ExitKind, ProbeResult, Reason, State, UnknownValue


@dataclass(frozen=True)
class RequestRecord:
    """A request. ``component`` and ``action`` are None when the request could not be read that far.

    ``published`` may still be False after a power cut although the answer was published; never the other way round.
    ``due_uptime`` (seconds of the coordinator's running time) is set while a rule defers the request. ``row`` is the
    row's number in the journal; unlike the id it identifies every row, also one that a person inserted.
    """

    request_id: str
    component: str | None
    action: Action | UnknownValue | None
    version: str | None
    requested_at: datetime | None
    received_at: datetime
    state: State | UnknownValue
    reason: Reason | UnknownValue | None
    message: str
    rollback_of: str | None
    resumes: int
    settled_at: datetime | None
    published: bool
    due_uptime: float | None = None
    deferred_at: datetime | None = None
    deferred_why: str | None = None
    row: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True)
class AttemptRecord:
    """One run of one script. ``ending`` is None while the run is not known to be over.

    ``pid``, ``start_ticks`` (clock ticks since boot) and ``boot_id`` together identify the worker's process;
    ``started_monotonic`` (seconds) counts only within that boot.
    """

    request_id: str
    number: int
    state: State | UnknownValue
    script: str
    boot_id: str
    started_at: datetime
    started_monotonic: float
    pid: int | None = None
    start_ticks: int | None = None
    ended_at: datetime | None = None
    seconds: float | None = None
    ending: ExitKind | UnknownValue | None = None
    exit_code: int | None = None
    output: str = ""
    error: str = ""


@dataclass(frozen=True)
class TransitionRecord:
    """One transition of a request, with its message."""

    request_id: str
    event: Event | UnknownValue
    source: State | UnknownValue
    dest: State | UnknownValue
    at: datetime
    reason: Reason | UnknownValue | None
    message: str


@dataclass(frozen=True)
class RecoveryRecord:
    """What a restarted coordinator found of attempt ``number``, and what it did about it."""

    request_id: str
    number: int
    at: datetime
    probe: ProbeResult | UnknownValue
    action: RecoveryAction | UnknownValue


@dataclass(frozen=True)
class FailureRecord:
    """One unexpected error while a request was driven."""

    request_id: str
    at: datetime
    error: str


@dataclass(frozen=True)
class TransitionFacts:
    """What becomes true together with a transition, in one transaction.

    Args:
        at: when, aware UTC.
        reason: the stable code of a failure.
        message: the same as text.
        finish: the attempt that ends with this transition.
        begin: the attempt that this transition announces; its script starts after the commit (I2).
        settles: whether the transition gives the request its final answer.
    """

    at: datetime
    reason: Reason | UnknownValue | None = None
    message: str = ""
    finish: AttemptRecord | None = None
    begin: AttemptRecord | None = None
    settles: bool = False
