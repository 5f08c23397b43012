"""Distribution of the tests over the workers: tests of a group must run in one worker."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = """
import os
import pathlib

import pytest


@pytest.fixture(scope="module")
def shared():
    pass


@pytest.mark.parametrize("number", range(20))
def test_shared(shared, number):
    with pathlib.Path(__file__).with_suffix(".workers").open("a") as workers:
        print(os.environ["PYTEST_XDIST_WORKER"], file=workers)
"""


def test_modules_with_a_shared_fixture_run_in_one_worker(tmp_path):
    """With the options of ``make test``, no module's fixture is made in two workers."""
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    modules = [tmp_path / f"test_{name}.py" for name in ("first", "second", "third")]
    for module in modules:
        module.write_text(TESTS)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--numprocesses", "2", "--dist", "loadgroup", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    workers = [module.with_suffix(".workers").read_text().split() for module in modules]
    assert [len(ran) for ran in workers] == [20, 20, 20]
    assert [len(set(ran)) for ran in workers] == [1, 1, 1]
