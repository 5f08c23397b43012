"""The one rule for versions: SemVer 2.0.0 with an optional leading ``v``, 128 ASCII characters at most (I6).

Policy, the container side and the packaged component scripts all use this rule, so that none accepts a version that
another rejects. The module needs the standard library only: component scripts run it as ``python3 version.py TEXT``,
which prints the version without ``v``, or exits with 1.
"""

from __future__ import annotations

import re
import sys

MAX_CHARACTERS = 128

_NUMBER = "(?:0|[1-9][0-9]*)"
_PRE_RELEASE = "(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_BUILD = "[0-9A-Za-z-]+"
# semver.org, item 2, 9 and 10. Digits are spelled out: ``\d`` matches the digits of every alphabet.
_SEMVER = re.compile(
    rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PRE_RELEASE}(?:\.{_PRE_RELEASE})*)?(?:\+{_BUILD}(?:\.{_BUILD})*)?"
)


def is_version(text: str) -> bool:
    """Whether ``text`` is a version by this rule; safe as a command-line argument, a tag and a file name."""
    return len(text) <= MAX_CHARACTERS and _SEMVER.fullmatch(text) is not None


def without_prefix(version: str) -> str:
    """``version`` without a leading ``v``: what scripts, tags and comparisons use."""
    return version.removeprefix("v")


def main() -> int:
    """Print the argument without ``v``; 1 when it is not a version, 2 when there is not exactly one argument."""
    if len(sys.argv) != 2:  # noqa: PLR2004  the program's name and one argument
        sys.stderr.write("usage: version.py TEXT\n")
        return 2
    if not is_version(sys.argv[1]):
        return 1
    sys.stdout.write(f"{without_prefix(sys.argv[1])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
