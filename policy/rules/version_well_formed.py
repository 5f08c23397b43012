"""Form rule: the version, the only text of a container that reaches a command line, is SemVer (I6)."""

from __future__ import annotations

from policy.engine import ALLOW, PolicyContext, Reject, Verdict
from protocol.messages import Request
from protocol.names import printable
from protocol.types import Reason
from protocol.version import is_version


class VersionWellFormed:
    """Rejects what ``protocol.version`` does not accept, for every action: each script gets the version."""

    def evaluate(self, request: Request, context: PolicyContext) -> Verdict:  # noqa: ARG002
        """Require SemVer, with an optional leading ``v``, where a version is given."""
        if request.version is None or is_version(request.version):
            return ALLOW
        return Reject(
            Reason.INVALID_REQUEST,
            f"cannot {request.action} to version {printable(request.version)}: not SemVer; write it like 1.2.3 or "
            "v1.2.3-rc.1",
        )
