"""``python benchmarks/bench.py``: measures both sides in one run, and says what is not good enough.

The floor is the least that could be done: the same script run by ``subprocess.run`` with its output captured, then its
status written, fsynced and renamed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import container_side
import footprint
import latency
from bench_host import ROOT
from results import Row, show

_FOLDER = ROOT / "var" / "bench"
_MEASUREMENTS: dict[str, Callable[..., list[Row]]] = {
    "sequential": latency.sequential,
    "burst": latency.burst,
    "fsyncs": latency.fsyncs,
    "idle": footprint.idle,
    "memory": footprint.memory,
    "start": footprint.start,
    "flow": latency.flow,
    "serving": container_side.container_side,
}


def main() -> int:
    """Measure what the command line asks for; 0 when every limit is kept."""
    options = _options()
    names = options.only or list(_MEASUREMENTS)
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    disk = subprocess.run(
        ["stat", "-f", "-c", "%T", _FOLDER], capture_output=True, text=True, check=True
    ).stdout.strip()
    rows: list[Row] = []
    try:
        for name in names:
            begun = time.monotonic()
            print(f"measuring {name} …", end="", flush=True, file=sys.stderr)
            rows += _measure(name, quick=options.quick)
            print(f" {time.monotonic() - begun:.1f} s", file=sys.stderr)
    finally:
        shutil.rmtree(_FOLDER, ignore_errors=True)
    show(rows, f"{'quick measurement, not the real one; ' if options.quick else ''}on {disk} in {_FOLDER}")
    if disk in {"tmpfs", "ramfs"}:
        print(f"cannot trust these figures: {_FOLDER} is in memory ({disk}); clone to a real disk", file=sys.stderr)
    if options.json:
        facts = {"quick": options.quick, "disk": disk, "rows": [row.facts() for row in rows]}
        options.json.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(row.ok for row in rows) else 1


def _measure(name: str, *, quick: bool) -> list[Row]:
    """One measurement; what breaks it is a missed row, so that the others still are measured."""
    try:
        return _MEASUREMENTS[name](_FOLDER, quick=quick)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"\n{error}", file=sys.stderr)
        return [Row(name, None, "", note=str(error).splitlines()[0])]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure speed, fsyncs, memory and idling of the real coordinator.")
    parser.add_argument(
        "--only", action="append", choices=list(_MEASUREMENTS), metavar="NAME", help="|".join(_MEASUREMENTS)
    )
    parser.add_argument("--quick", action="store_true", help="smaller and rougher, under a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
