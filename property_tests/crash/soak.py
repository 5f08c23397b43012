"""``make soak``: kills the real coordinator at random instants under a stream of mixed requests, thousands of times.

The kill sweep knows each call and tries it in a story told from the start; here requests of all kinds are under way
together, in a journal and folders that have seen thousands of lives. The same verdict is spoken over them.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from property_tests.crash.soak_run import ENDS, Lives, Tale


def _soak(cycles: int, seed: int) -> Tale:
    return Lives(cycles, seed).run()


def main() -> int:
    """Soak, tell of it, and say with the exit code whether all was well."""
    parser = argparse.ArgumentParser(description="Kill and restart the coordinator at random under mixed requests.")
    parser.add_argument("--cycles", type=int, default=2000, help="lives, over all jobs (%(default)s)")
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--jobs", type=int, default=2, help="hosts side by side (%(default)s)")
    options = parser.parse_args()
    begin = time.monotonic()
    tale = Tale()
    with ProcessPoolExecutor(options.jobs) as pool:
        shares = [len(range(job, options.cycles, options.jobs)) for job in range(options.jobs)]
        hosts = [pool.submit(_soak, share, options.seed + job) for job, share in enumerate(shares) if share]
        for host in as_completed(hosts):
            tale.add(host.result())
    seconds = time.monotonic() - begin
    _tell(tale, seconds, options.seed)
    return 1 if tale.faults else 0


def _tell(tale: Tale, seconds: float, seed: int) -> None:
    print(f"{tale.ends.total()} lives in {seconds:.0f} s, seed {seed}")
    for name in ENDS:
        print(f"    {name}: {tale.ends[name]}")
    print(f"requests served: {tale.asked}, {tale.asked / seconds:.1f} per second; submitted again: {tale.repeated}")
    print(f"longest from a restart to the last answer: {tale.slowest_s:.1f} s, the scripts' own time included")
    print(f"the reader looked {tale.polls} times")
    print(*tale.usages, sep="\n")
    print(f"wrong: {len(tale.faults)}", *tale.faults[:40], sep="\n    ")


if __name__ == "__main__":
    sys.exit(main())
