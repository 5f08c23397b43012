"""A request must bring what its action needs."""

from __future__ import annotations

from policy.engine import PolicyContext, Rejection
from protocol.messages import Request
from protocol.types import Action, Reason


class RequestComplete:
    """Refuses an update that does not say to which version."""

    def judge(self, request: Request, circumstances: PolicyContext) -> Rejection | None:  # noqa: ARG002
        """Only ``update`` needs a version (wire contract)."""
        if request.action is Action.UPDATE and request.version is None:
            return Rejection(Reason.INVALID_REQUEST, "cannot update: version is missing; name one, such as 1.2.3")
        return None


JUDGE = RequestComplete()
