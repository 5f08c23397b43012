"""Form rule: a request names a configured component (I6)."""

from __future__ import annotations

from policy.engine import ALLOW, PolicyContext, Reject, Verdict
from protocol.messages import Request
from protocol.names import printable
from protocol.types import Reason


class KnownComponent:
    """Rejects components that the configuration does not list."""

    def evaluate(self, request: Request, context: PolicyContext) -> Verdict:
        """Compare the name exactly."""
        if request.component in context.components:
            return ALLOW
        known = ", ".join(sorted(context.components)) or "none"
        return Reject(
            Reason.UNKNOWN_COMPONENT,
            f"cannot run {request.action} for {printable(request.component)}: no such component; known: {known}",
        )
