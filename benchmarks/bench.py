"""``python benchmarks/bench.py``: measures host and container side in one run, against limits.

The floor is the minimal equivalent work: the same script run by ``subprocess.run`` with captured output, then its
status written, fsynced and renamed. Rows of the coordinator are measured for each executor.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bench_machine
import container_side
import footprint
import latency
from bench_host import ROOT, SH, SYSTEMD
from results import Row, show

_FOLDER = ROOT / "var" / "bench"
_COORDINATOR: dict[str, Callable[..., list[Row]]] = {
    "sequential": latency.sequential,
    "burst": latency.burst,
    "fsyncs": latency.fsyncs,
    "idle": footprint.idle,
    "memory": footprint.memory,
    "start": footprint.start,
    "output_throughput": latency.output_throughput,
}
_CONTAINER_SIDE = "serving"
_NAMES = (*_COORDINATOR, _CONTAINER_SIDE)
# The systemd executor runs only these measurements; the other figures do not depend on the executor.
_DEPENDS_ON_EXECUTOR = ("sequential", "burst", "fsyncs", "idle", "output_throughput")


def main() -> int:
    """Run the selected measurements; returns 0 if every limit is kept."""
    options = _options()
    names = options.only or list(_NAMES)
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True, exist_ok=True)
    disk = subprocess.run(
        ["stat", "-f", "-c", "%T", _FOLDER], capture_output=True, text=True, check=True
    ).stdout.strip()
    rows: list[Row] = []
    try:
        for executor in options.executor or (SH, SYSTEMD):
            rows += _measure_executor(executor, names, options)
    finally:
        shutil.rmtree(_FOLDER, ignore_errors=True)
    show(rows, f"{'quick measurement, not comparable; ' if options.quick else ''}on {disk} in {_FOLDER}")
    if disk in {"tmpfs", "ramfs"}:
        print(f"cannot trust these figures: {_FOLDER} is in memory ({disk}); clone to a real disk", file=sys.stderr)
    if unmeasured := [row for row in rows if row.measured is None]:
        listed = "\n".join(f"  {row.executor or 'container side'}: {row.what}: {row.note}" for row in unmeasured)
        print(f"cannot measure these rows:\n{listed}", file=sys.stderr)
    if options.json:
        facts = {"quick": options.quick, "disk": disk, "rows": [row.facts() for row in rows]}
        options.json.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(row.ok for row in rows) else 1


def _measure_executor(executor: str, names: list[str], options: argparse.Namespace) -> list[Row]:
    """The selected rows of one executor; those of the container side come with ``sh``, once."""
    if executor == SH:
        return [row for name in names for row in _measure(name, executor, quick=options.quick)]
    chosen = [name for name in names if name in _DEPENDS_ON_EXECUTOR]
    if not chosen or bench_machine.is_systemd_here():
        return [row for name in chosen for row in _measure(name, executor, quick=options.quick)]
    if obstacle := bench_machine.obstacle():
        return [Row(name, None, "", executor=executor, note=obstacle, is_required=False) for name in chosen]
    try:
        return bench_machine.measure(_FOLDER, executor, chosen, quick=options.quick)
    except (AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"\n{error}", file=sys.stderr)
        note = str(error).splitlines()[0]
        return [Row(name, None, "", executor=executor, note=note) for name in chosen]


def _measure(name: str, executor: str, *, quick: bool) -> list[Row]:
    """The rows of one measurement; a failure is one missed row and does not stop the other measurements."""
    begun = time.monotonic()
    print(f"measuring {name} ({executor}) …", end="", flush=True, file=sys.stderr)
    try:
        if name == _CONTAINER_SIDE:
            rows = container_side.container_side(_FOLDER, quick=quick)
        else:
            rows = [replace(row, executor=executor) for row in _COORDINATOR[name](_FOLDER, executor, quick=quick)]
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"\n{error}", file=sys.stderr)
        return [Row(name, None, "", executor=executor, note=str(error).splitlines()[0])]
    print(f" {time.monotonic() - begun:.1f} s", file=sys.stderr)
    return rows


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure speed, fsyncs, memory and idling of the real coordinator.")
    parser.add_argument("--only", action="append", choices=_NAMES, metavar="NAME", help="|".join(_NAMES))
    parser.add_argument(
        "--executor", action="append", choices=(SH, SYSTEMD), help="only this executor's rows (default: both)"
    )
    parser.add_argument("--quick", action="store_true", help="smaller and rougher, under a minute per executor")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
