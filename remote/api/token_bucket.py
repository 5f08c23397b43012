"""How fast a client may speak: a token bucket."""

from __future__ import annotations

from protocol.clock import Clock

_BURST_S = 3.0


class Allowance:
    """Lets ``per_s`` messages a second through, and a burst of what three seconds would bring."""

    def __init__(self, per_s: float, clock: Clock) -> None:
        self._per_s = per_s
        self._clock = clock
        self._left = self._most = max(1.0, per_s * _BURST_S)
        self._at = clock.monotonic()

    def spend(self) -> bool:
        """Whether one more is allowed now."""
        now = self._clock.monotonic()
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
