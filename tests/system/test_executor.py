"""The executor ``systemd`` on a host with systemd: the common executor contract, and its unit tests."""

from __future__ import annotations

import re

from machine import CHECKOUT, Machine

from tests.support.polling import wait_until

_TESTS = [f"{CHECKOUT}/tests/executors", "-q", "-p", "no:cacheprovider", "--basetemp=/var/tmp/executors"]
_MINIMUM = 170  # lower bound of the number of tests, so that an incomplete run fails


def test_executor_contract_holds_for_systemd_units(machine: Machine):
    """The contract tests that ``make test`` runs on the executor ``sh`` pass, and so do those of the units."""
    done = machine.run(
        *("env", f"--chdir={CHECKOUT}", "TEST_EXECUTOR=systemd", "PYTHONDONTWRITEBYTECODE=1"),
        *(f"{CHECKOUT}/.venv/bin/python", "-m", "pytest", *_TESTS),
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    output = re.search(r"(\d+) passed in", done.stdout)
    assert output is not None, done.stdout
    assert int(output[1]) >= _MINIMUM, done.stdout
    assert "skipped" not in done.stdout
    listed = "systemctl list-units --all --plain --no-legend 'dunebugger-request-*' | grep -v running || true"
    wait_until(lambda: not machine.sh(listed), lambda: f"the units to be removed: {machine.sh(listed)}")
