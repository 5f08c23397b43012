"""install.sh takes wheels only: a small computer has no compiler. Each locked package must have one for it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from machine import REPOSITORY


@pytest.mark.parametrize("platform", ["manylinux2014_aarch64", "manylinux2014_armv7l"])
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_every_locked_package_has_a_wheel_for_a_raspberry_pi(tmp_path, platform: str, python: str):
    """Raspberry Pi OS of 64 and 32 bit, with the Python of Debian 12 and of Debian 13."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download", "--require-hashes")
    wheels = ("--only-binary=:all:", f"--platform={platform}", f"--python-version={python}", f"--dest={tmp_path}")
    lock = REPOSITORY / "requirements.lock"
    done = subprocess.run([*pip, *wheels, f"--requirement={lock}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    locked = [line for line in lock.read_text().splitlines() if "==" in line]
    assert len(list(tmp_path.glob("*.whl"))) == len(locked)
