"""The restart pause for given properties of the unit; tests/system/test_service.py tests it with systemd."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

_PAUSE = Path(__file__).parents[2] / "packaging/restart-pause.sh"
_SYSTEMCTL = """#!/bin/sh
[ "$1 $3 $4" = "show --value the.service" ] || exit 9
case ${2#--property=} in
    NRestarts) echo %d ;;
    ActiveEnterTimestampMonotonic) echo %d ;;
    ActiveExitTimestampMonotonic) echo %d ;;
    InactiveEnterTimestampMonotonic) echo %d ;;
    *) exit 9 ;;
esac
"""
_SECOND_US = 1_000_000
_BOOTED_US = 77 * _SECOND_US


@pytest.mark.parametrize(
    ("restarts", "up_s", "since_s", "output"),
    [
        (0, 1, 10, ""),
        (1, 1, 10, ""),
        (2, 1, 10, "slept 10"),
        (3, 1, 10, "slept 30"),
        (4, 599, 10, "slept 110"),
        (4, 600, 10, ""),
        (4, 600, 21, "slept 110"),  # a start failed after the service was active
        (4711, 0, 10, "slept 110"),
    ],
)
def test_pause_grows_with_every_crash(tmp_path, restarts, up_s, since_s, output):
    """The pause grows from RestartSec alone to two minutes; ten minutes of uptime reset it."""
    exit_us = _BOOTED_US + up_s * _SECOND_US
    for name, text in (
        ("systemctl", _SYSTEMCTL % (restarts, _BOOTED_US, exit_us, exit_us + since_s * _SECOND_US)),
        ("sleep", '#!/bin/sh\necho "slept $*"\n'),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    done = subprocess.run([_PAUSE, "the.service"], env={"PATH": path}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1:] == ([output] if output else [])
