"""Token bucket: limits how many messages a client sends per second."""

from __future__ import annotations

from protocol.clock import Clock

_BURST_S = 3.0


class TokenBucket:
    """Allows ``per_s`` messages a second, > 0, and bursts of three seconds' worth, at least one message."""

    def __init__(self, per_s: float, clock: Clock) -> None:
        self._per_s = per_s
        self._clock = clock
        self._tokens = self._capacity = max(1.0, per_s * _BURST_S)
        self._refilled_at = clock.monotonic()

    def try_acquire(self) -> bool:
        """Take a token for one message; False when there is none."""
        now = self._clock.monotonic()
        self._tokens = min(self._capacity, self._tokens + (now - self._refilled_at) * self._per_s)
        self._refilled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
