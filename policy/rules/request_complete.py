"""Form rule: a request has the fields that its action needs."""

from __future__ import annotations

from policy.engine import ALLOW, PolicyContext, Reject, Verdict
from protocol.messages import Request
from protocol.types import Action, Reason


class RequestComplete:
    """Rejects an update without a version; no other action needs one (wire contract)."""

    def evaluate(self, request: Request, context: PolicyContext) -> Verdict:  # noqa: ARG002
        """Require a version for an update."""
        if request.action is Action.UPDATE and request.version is None:
            return Reject(Reason.INVALID_REQUEST, "cannot update: version is missing; name one, such as 1.2.3")
        return ALLOW
