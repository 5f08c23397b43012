"""A request must name a component that the operator configured (I6)."""

from __future__ import annotations

from policy.engine import PolicyContext, Rejection
from protocol.messages import Request
from protocol.names import printable
from protocol.types import Reason


class KnownComponent:
    """Refuses components the configuration does not list."""

    def judge(self, request: Request, circumstances: PolicyContext) -> Rejection | None:
        """Compare the name, to the letter."""
        if request.component in circumstances.components:
            return None
        known = ", ".join(sorted(circumstances.components)) or "none"
        return Rejection(
            Reason.UNKNOWN_COMPONENT,
            f"cannot run {request.action} for {printable(request.component)}: no such component; known: {known}",
        )


JUDGE = KnownComponent()
