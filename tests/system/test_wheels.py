"""install.sh installs only wheels, because a small computer has no compiler: each locked package must have a wheel.

The image of the container side can be built with a compiler, as 32-bit systems require (see its Dockerfile).
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from machine import REPOSITORY


@pytest.mark.parametrize(
    ("lock", "platform"),
    [
        ("requirements.lock", "manylinux2014_aarch64"),
        ("requirements.lock", "manylinux2014_armv7l"),
        ("requirements-remote.lock", "manylinux2014_aarch64"),
    ],
)
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_every_locked_package_has_a_wheel_for_a_raspberry_pi(tmp_path, lock: str, platform: str, python: str):
    """Each package has wheels for 64-bit and 32-bit Raspberry Pi OS, with the Python of Debian 12 and Debian 13."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download", "--require-hashes")
    wheels = ("--only-binary=:all:", f"--platform={platform}", f"--python-version={python}", f"--dest={tmp_path}")
    path = REPOSITORY / lock
    done = subprocess.run([*pip, *wheels, f"--requirement={path}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    locked = [line for line in path.read_text().splitlines() if "==" in line]
    assert len(list(tmp_path.glob("*.whl"))) == len(locked)
