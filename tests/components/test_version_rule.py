"""Policy, the container side and the packaged scripts accept the same versions: protocol/version.py is the one rule."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from library_commands import SCRIPTS

from policy.engine import ALLOW
from policy.rules.version_well_formed import VersionWellFormed
from protocol.messages import Request
from protocol.types import Action
from protocol.version import MAX_CHARACTERS, is_version, without_prefix
from remote.releases.release import is_newer

LONGEST = "1.0.0-" + "a" * (MAX_CHARACTERS - len("1.0.0-"))

ACCEPTED = [
    "1.2.3", "v1.2.3", "0.0.0", "1.2.3-rc.1", "v1.2.3-rc.1+build.7", "1.2.3+0.01", "1.2.3--", "1.2.3-0a", "1.2.3-a.-.0",
    "1.0.0-" + "a" * 94, "1.0.0-" + "a" * 95, LONGEST, f"v{LONGEST[:-1]}", "9" * 124 + ".1.1",
]  # fmt: skip
REJECTED = [
    "", "v", "1", "1.2", "1.2.3.4", "01.2.3", "1.02.3", "1.2.03", "1.2.3-01", "1.2.3-a.01", "1.2.3-", "1.2.3+",
    "1.2.3-a..b", "1.2.3+a+b", "vv1.2.3", "V1.2.3", "=1.2.3", "-1.2.3", "--help", "-c", "latest", " 1.2.3", "1.2.3 ",
    "1.2.3\n", "\n1.2.3", "1.2.3\n4.5.6", "1.2.3;reboot", "1.2.3$(reboot)", "1.2.3*", "1.2.3-rc_1", "../1.2.3",
    "1.2.3/../x", "\N{FULLWIDTH DIGIT ONE}.2.3", "1.2.\N{ARABIC-INDIC DIGIT THREE}",
    "1.2.3-\N{CYRILLIC SMALL LETTER A}", "1.2.3\x1b[2J", LONGEST + "a", f"v{LONGEST}", "1.0.0-" + "a" * 60_000,
]  # fmt: skip
TABLE = [(text, True) for text in ACCEPTED] + [(text, False) for text in REJECTED]


def read_version(text, python=sys.executable):
    """Run the packaged scripts' ``read_version`` as ``update.sh TEXT`` does."""
    script = 'HERE=/none; source "$LIBRARY/common.sh"; read_version "$1"; printf "%s" "$VERSION"'
    environment = {"PATH": "/usr/bin:/bin", "LIBRARY": str(SCRIPTS / "library"), "PYTHON": python}
    command = ["bash", "-euc", script, "bash", text]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize(("text", "accepted"), TABLE, ids=range(len(TABLE)))
def test_version_readers_agree(text, accepted):
    """Each reader gives the same answer, and the scripts use the version without its ``v``."""
    request = Request(
        component="core", action=Action.UPDATE, version=text, request_id="r1", timestamp=datetime.now(tz=UTC)
    )
    by_script = read_version(text)
    assert is_version(text) is accepted
    assert (VersionWellFormed().evaluate(request, None) == ALLOW) is accepted
    assert is_newer(text, "0.0.0-0") is accepted
    assert by_script.returncode == (0 if accepted else 1)
    if accepted:
        assert by_script.stdout == without_prefix(text)
    else:
        assert by_script.stdout == ""
        assert by_script.stderr.startswith("cannot update")


def test_read_version_names_the_remedy():
    """No version, no version by the rule, an interpreter that does not run: three messages."""
    assert read_version("").stderr == "cannot update: no version was given; usage: update.sh VERSION\n"
    assert "to 'latest': it is not a version such as 1.2.3 (SemVer, at most 128" in read_version("latest").stderr
    broken = read_version("1.2.3", python="/none/python")
    assert broken.returncode == 1
    assert broken.stderr.endswith("ended with exit code 127; check PYTHON and LIBRARY in component.env\n")
