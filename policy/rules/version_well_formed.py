"""The version is the one thing a container says that reaches a command line: it must be SemVer, to the letter (I6)."""

from __future__ import annotations

import re

from semver import Version

from policy.engine import PolicyContext, Rejection
from protocol.messages import Request
from protocol.names import printable
from protocol.types import Reason

# semver's own pattern admits other alphabets' digits and a final newline; this comes before it.
_PLAIN = re.compile(r"[0-9A-Za-z.+-]{1,128}")


class VersionWellFormed:
    """Refuses what is not SemVer 2.0.0 with an optional leading ``v``, of 128 characters at most."""

    def judge(self, request: Request, circumstances: PolicyContext) -> Rejection | None:  # noqa: ARG002
        """A version that is given must be well-formed whatever the action, for scripts learn it in any case."""
        version = request.version
        if version is None or (_PLAIN.fullmatch(version) and Version.is_valid(version.removeprefix("v"))):
            return None
        return Rejection(
            Reason.INVALID_REQUEST,
            f"cannot {request.action} to version {printable(version)}: not SemVer; write it like 1.2.3 or v1.2.3-rc.1",
        )


JUDGE = VersionWellFormed()
