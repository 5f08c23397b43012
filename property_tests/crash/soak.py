"""``make soak``: kills the real coordinator at random instants under mixed requests, thousands of times.

The kill sweep kills at each known call of a scenario from its start; here requests of all kinds run together, on a
journal and directories that thousands of instances have used before. The same oracle checks them.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from property_tests.crash.soak_run import STOP_KINDS, SoakResult, SoakRun


def _soak(cycles: int, seed: int) -> SoakResult:
    return SoakRun(cycles, seed).run()


def main() -> int:
    """Run the soak and print the result; returns 1 if there were violations."""
    parser = argparse.ArgumentParser(description="Kill and restart the coordinator at random under mixed requests.")
    parser.add_argument("--cycles", type=int, default=2000, help="coordinator instances, over all jobs (%(default)s)")
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--jobs", type=int, default=2, help="hosts in parallel (%(default)s)")
    options = parser.parse_args()
    begin = time.monotonic()
    result = SoakResult()
    with ProcessPoolExecutor(options.jobs) as pool:
        shares = [len(range(job, options.cycles, options.jobs)) for job in range(options.jobs)]
        hosts = [pool.submit(_soak, share, options.seed + job) for job, share in enumerate(shares) if share]
        for host in as_completed(hosts):
            result.add(host.result())
    seconds = time.monotonic() - begin
    _print_result(result, seconds, options.seed)
    return 1 if result.violations else 0


def _print_result(result: SoakResult, seconds: float, seed: int) -> None:
    print(f"{result.stops.total()} instances in {seconds:.0f} s, seed {seed}")
    for name in STOP_KINDS:
        print(f"    {name}: {result.stops[name]}")
    rate = result.submitted / seconds
    print(f"requests served: {result.submitted}, {rate:.1f} per second; resubmitted: {result.repeated}")
    print(f"longest from a restart to the last answer: {result.slowest_s:.1f} s, including the scripts")
    print(f"polls of the reader: {result.polls}")
    print(*result.usages, sep="\n")
    print(f"wrong: {len(result.violations)}", *result.violations[:40], sep="\n    ")


if __name__ == "__main__":
    sys.exit(main())
