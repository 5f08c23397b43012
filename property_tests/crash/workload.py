"""The workload of a soak: components with scripts of every kind, and a table of requests with their outcomes.

A kill of the coordinator changes no outcome, so each is known beforehand, including the scripts that run.
"""

from __future__ import annotations

from dataclasses import dataclass

from property_tests.crash.scenarios import FAILS, HEALTH, IGNORES_TERM, ROLLBACK, UPDATE, ComponentSpec

OUTPUT_BYTES = 4096  # limits.output_bytes: small, so that output far above it is cheap

_SLOW = "for at in 10 30 50 70 90; do echo PHASE:at-$at; echo PROGRESS:$at; sleep 0.2 9>&-; done"
_NOISY = "head -c 60000 /dev/urandom; echo PHASE:noisy; yes noise | head -c 300000; head -c 60000 /dev/urandom >&2"
# One child that holds the streams; one in its own session that holds them, prints more and ignores TERM; one detached
# from everything. All exit without a signal. None keeps the lock, like a real service; flock --unlock releases it for
# children that have not closed its file yet.
_FORKING = """
(sleep 0.3; echo late) 9>&- &
setsid bash -c 'trap "" TERM; for at in {1..10}; do echo still here; sleep 0.2; done' 9>&- &
(setsid sleep 2 9>&- </dev/null >/dev/null 2>&1 &)
sleep 0.0$((RANDOM % 10)) 9>&-
flock --unlock 9"""
_UNDONE = 'rolled_back-"$UPDATE_REQUEST_ID"'

# Only scripts that never end have the short limit: on a busy machine it would be too short for others.
_LATE = {"timeout_s": 3.0, "kill_grace_s": 0.5, "on_failure": "none", "verify_health": False}
COMPONENTS = {
    "plain": ComponentSpec("plain"),
    "slow": ComponentSpec("shared", {UPDATE: _SLOW}),
    "failing": ComponentSpec("shared", {UPDATE: FAILS}),
    "unhealthy": ComponentSpec("shared", {HEALTH: f"[ -e {_UNDONE} ] || {{ {FAILS}; }}", ROLLBACK: f"touch {_UNDONE}"}),
    "noisy": ComponentSpec("noisy", {UPDATE: _NOISY, HEALTH: _NOISY}),
    "unrecoverable": ComponentSpec("noisy", {UPDATE: f"{_NOISY}; {FAILS}", ROLLBACK: FAILS}),
    "forking": ComponentSpec("forking", {UPDATE: _FORKING}),
    "ignoring-term": ComponentSpec("late", {UPDATE: IGNORES_TERM}, _LATE),
    "endless": ComponentSpec("late", {UPDATE: "sleep 1000"}, _LATE),
}


@dataclass(frozen=True)
class RequestKind:
    """A row of the table.

    Args:
        weight: relative frequency.
        component: its target.
        action: of the request.
        state: its final state.
        reason: its reason, unless it succeeds.
        runs: the scripts that run for it, in order.
        cut: those that the time limit ends, perhaps before they record their start.
        raw_body: the file's content if it is not a well-formed request; ``{id}`` is its id.
    """

    weight: int
    component: str
    action: str
    state: str
    reason: str | None = None
    runs: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    raw_body: str | None = None

    @property
    def lock(self) -> str:
        """The lock of its component; for an unconfigured component its name."""
        part = COMPONENTS.get(self.component)
        return part.lock if part else self.component


_WORKS, _UNDOES = (UPDATE, HEALTH), (UPDATE, ROLLBACK, HEALTH)
_MISMATCHED_ID = (
    '{{"component": "plain", "action": "health", "request_id": "x{id}", "timestamp": "2026-01-02T03:04:05Z"}}'
)
KINDS = (
    RequestKind(6, "plain", "update", "succeeded", None, _WORKS),
    RequestKind(3, "plain", "rollback", "succeeded", None, (ROLLBACK, HEALTH)),
    RequestKind(3, "plain", "health", "succeeded", None, (HEALTH,)),
    RequestKind(4, "slow", "update", "succeeded", None, _WORKS),
    RequestKind(1, "slow", "health", "succeeded", None, (HEALTH,)),
    RequestKind(4, "failing", "update", "rolled_back", "script_failed", _UNDOES),
    RequestKind(3, "unhealthy", "update", "rolled_back", "unhealthy", (UPDATE, HEALTH, ROLLBACK, HEALTH)),
    RequestKind(2, "unhealthy", "health", "failed", "unhealthy", (HEALTH,)),
    RequestKind(3, "noisy", "update", "succeeded", None, _WORKS),
    RequestKind(2, "unrecoverable", "update", "failed", "rollback_failed", (UPDATE, ROLLBACK)),
    RequestKind(2, "unrecoverable", "rollback", "failed", "script_failed", (ROLLBACK,)),
    RequestKind(4, "forking", "update", "succeeded", None, _WORKS),
    RequestKind(2, "ignoring-term", "update", "failed", "timeout", (UPDATE,), cut=(UPDATE,)),
    RequestKind(1, "endless", "update", "failed", "timeout", (UPDATE,), cut=(UPDATE,)),
    RequestKind(2, "unconfigured", "update", "failed", "unknown_component"),
    RequestKind(1, "plain", "update", "failed", "invalid_request", raw_body='{{"component": "plain", "acti'),
    RequestKind(1, "plain", "update", "failed", "invalid_request", raw_body="[]"),
    RequestKind(1, "plain", "health", "failed", "invalid_request", raw_body=_MISMATCHED_ID),
)
