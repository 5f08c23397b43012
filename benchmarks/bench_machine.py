"""Measures the systemd executor where no systemd runs: in a machine booted by systemd-nspawn.

The machine is the one of the system tests; its measurements are on the disk of the checkout, not on the machine's own,
which is in memory.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from bench_host import ROOT
from results import Row

_MACHINE_HELPERS = ROOT / "tests" / "system"
_TIMEOUT_S = 1800.0


def is_systemd_here() -> bool:
    """Whether systemd manages this host and lets this user start units."""
    return Path("/run/systemd/system").is_dir() and os.geteuid() == 0


def obstacle() -> str:
    """Why no machine can be booted; empty when one can."""
    if os.geteuid() != 0:
        return "not measured: the systemd executor needs root; run make bench as root"
    if shutil.which("systemd-nspawn") is None:
        return "not measured: no systemd runs here, and systemd-nspawn is missing (apt-get install systemd-container)"
    return ""


def measure(folder: Path, executor: str, names: list[str], *, quick: bool) -> list[Row]:
    """Boot a machine and run these measurements in it.

    Args:
        folder: a directory on the disk to measure.
        executor: whose rows to measure.
        names: of the measurements.
        quick: see ``--quick``.

    Raises:
        AssertionError: the machine does not boot, or the measurements fail in it.
    """
    sys.path.append(str(_MACHINE_HELPERS))
    from disk import unshare_mounts  # noqa: PLC0415  root's tools, needed for this only
    from machine import CHECKOUT, Machine  # noqa: PLC0415

    shared = folder / executor
    shared.mkdir()
    inside = Path(CHECKOUT, folder.relative_to(ROOT))

    class BenchMachine(Machine):
        """A machine that sees ``shared`` read-write where its own run of the benchmarks works."""

        def _command(self) -> list[str]:
            return [*super()._command(), f"--bind={shared}:{inside}"]

    unshare_mounts()
    machine = BenchMachine(folder / "machine", binds={ROOT: CHECKOUT})
    try:
        machine.boot()
        machine.run("systemctl", "stop", "docker.socket", "docker.service", "containerd.service", check=False)
        chosen = [word for name in names for word in ("--only", name)]
        found = "/var/tmp/rows.json"  # noqa: S108  in a machine of our own
        done = machine.run(
            *("env", f"--chdir={CHECKOUT}", f"PYTHONPATH={CHECKOUT}", "PYTHONDONTWRITEBYTECODE=1"),
            *(f"{CHECKOUT}/.venv/bin/python", "benchmarks/bench.py", "--executor", executor, "--json", found, *chosen),
            *(("--quick",) if quick else ()),
            check=False,
            timeout=_TIMEOUT_S,
        )
        print(done.stderr, end="", file=sys.stderr)
        assert done.returncode in {0, 1}, f"cannot measure in a machine: exit code {done.returncode}\n{done.stderr}"
        return [Row.from_facts(facts) for facts in json.loads(machine.read(found))["rows"]]
    finally:
        machine.close()
