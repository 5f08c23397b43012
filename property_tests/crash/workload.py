"""What is asked during a soak: components with scripts of every temper, and a table of requests, each with its ending.

Killing the coordinator changes no ending, so each is known beforehand, down to the scripts that run.
"""

from __future__ import annotations

from dataclasses import dataclass

from property_tests.crash.scenarios import FAILS, HEALTH, ROLLBACK, STUBBORN, UPDATE, Part

OUTPUT_BYTES = 4096  # limits.output_bytes: little, so that what is far above it costs little

_SLOW = "for at in 10 30 50 70 90; do echo PHASE:at-$at; echo PROGRESS:$at; sleep 0.2 9>&-; done"
_NOISY = "head -c 60000 /dev/urandom; echo PHASE:loud; yes noise | head -c 300000; head -c 60000 /dev/urandom >&2"
# One child that holds the streams, one in a session of its own that holds them, says more and ignores TERM, and one
# that let go of everything. Each ends by itself. None keeps the lock: leaving it is what services do; and at the end it
# is given up for those, too, who were not quick enough to close its file.
_FORKING = """
(sleep 0.3; echo late) 9>&- &
setsid bash -c 'trap "" TERM; for at in {1..10}; do echo still here; sleep 0.2; done' 9>&- &
(setsid sleep 2 9>&- </dev/null >/dev/null 2>&1 &)
sleep 0.0$((RANDOM % 10)) 9>&-
flock --unlock 9"""
_UNDONE = 'undone-"$UPDATE_REQUEST_ID"'

# Nothing but what never ends runs under the short limit: on a busy machine it would be too short for all else.
_LATE = {"timeout_s": 3.0, "kill_grace_s": 0.5, "on_failure": "none", "verify_health": False}
COMPONENTS = {
    "calm": Part("calm"),
    "slow": Part("shared", {UPDATE: _SLOW}),
    "failing": Part("shared", {UPDATE: FAILS}),
    "unhealthy": Part("shared", {HEALTH: f"[ -e {_UNDONE} ] || {{ {FAILS}; }}", ROLLBACK: f"touch {_UNDONE}"}),
    "noisy": Part("loud", {UPDATE: _NOISY, HEALTH: _NOISY}),
    "hopeless": Part("loud", {UPDATE: f"{_NOISY}; {FAILS}", ROLLBACK: FAILS}),
    "forking": Part("forking", {UPDATE: _FORKING}),
    "stubborn": Part("late", {UPDATE: STUBBORN}, _LATE),
    "tardy": Part("late", {UPDATE: "sleep 1000"}, _LATE),
}


@dataclass(frozen=True)
class Kind:
    """A row of the table.

    Args:
        weight: how often it is asked, beside the others.
        component: whom it is for.
        action: what is asked.
        state: how it ends.
        reason: why, when it does not succeed.
        runs: the scripts that run for it, in order.
        cut: those of them that the time limit ends, maybe before they can tell of their beginning.
        instead: the file's content, where it is no well-formed request; ``{id}`` is its id.
    """

    weight: int
    component: str
    action: str
    state: str
    reason: str | None = None
    runs: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    instead: str | None = None

    @property
    def lock(self) -> str:
        """Of its component; of one that nobody configured, its name."""
        part = COMPONENTS.get(self.component)
        return part.lock if part else self.component


_WORKS, _UNDOES = (UPDATE, HEALTH), (UPDATE, ROLLBACK, HEALTH)
_OF_ANOTHER = '{{"component": "calm", "action": "health", "request_id": "x{id}", "timestamp": "2026-01-02T03:04:05Z"}}'
KINDS = (
    Kind(6, "calm", "update", "succeeded", None, _WORKS),
    Kind(3, "calm", "rollback", "succeeded", None, (ROLLBACK, HEALTH)),
    Kind(3, "calm", "health", "succeeded", None, (HEALTH,)),
    Kind(4, "slow", "update", "succeeded", None, _WORKS),
    Kind(1, "slow", "health", "succeeded", None, (HEALTH,)),
    Kind(4, "failing", "update", "rolled_back", "script_failed", _UNDOES),
    Kind(3, "unhealthy", "update", "rolled_back", "unhealthy", (UPDATE, HEALTH, ROLLBACK, HEALTH)),
    Kind(2, "unhealthy", "health", "failed", "unhealthy", (HEALTH,)),
    Kind(3, "noisy", "update", "succeeded", None, _WORKS),
    Kind(2, "hopeless", "update", "failed", "rollback_failed", (UPDATE, ROLLBACK)),
    Kind(2, "hopeless", "rollback", "failed", "script_failed", (ROLLBACK,)),
    Kind(4, "forking", "update", "succeeded", None, _WORKS),
    Kind(2, "stubborn", "update", "failed", "timeout", (UPDATE,), cut=(UPDATE,)),
    Kind(1, "tardy", "update", "failed", "timeout", (UPDATE,), cut=(UPDATE,)),
    Kind(2, "nowhere", "update", "failed", "unknown_component"),
    Kind(1, "calm", "update", "failed", "invalid_request", instead='{{"component": "calm", "acti'),
    Kind(1, "calm", "update", "failed", "invalid_request", instead="[]"),
    Kind(1, "calm", "health", "failed", "invalid_request", instead=_OF_ANOTHER),
)
