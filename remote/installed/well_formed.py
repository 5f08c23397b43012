"""Whether what a source says is a version: only SemVer can be compared with a release."""

from __future__ import annotations

import re

from semver import Version

from protocol.names import printable
from remote.installed.errors import VersionUnknownError
from remote.settings import Component

# semver's own pattern admits other alphabets' digits and a final newline; this comes before it.
_PLAIN = re.compile(r"[0-9A-Za-z.+-]{1,128}")


def version_in(component: Component, text: str, where: str, remedy: str) -> str:
    """The version that ``text`` is, without a leading ``v``.

    Args:
        component: whose version it is.
        text: what the source says.
        where: what says it, for the message.
        remedy: what the operator can do.

    Raises:
        VersionUnknownError: it is not SemVer 2.0.0.
    """
    version = text.removeprefix("v")
    if not _PLAIN.fullmatch(version) or not Version.is_valid(version):
        raise VersionUnknownError(component, f"{where} is {printable(text)}, which is not SemVer; {remedy}")
    return version
