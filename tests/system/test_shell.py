"""What a host runs of ours in a shell is clean."""

from __future__ import annotations

import subprocess

from machine import REPOSITORY


def test_shellcheck_finds_nothing():
    """In none of the parts of install.sh; it follows what they source."""
    tracked = subprocess.run(
        ["git", "ls-files", "packaging/install*.sh"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    files = tracked.stdout.split()
    assert "packaging/install.sh" in files
    done = subprocess.run(["shellcheck", *files], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
