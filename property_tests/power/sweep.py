"""``make power-cuts``: records what the coordinator writes, and starts it on everything a power cut may leave of that.

Every story is recorded with a client that syncs its requests and with one that does not; then again from what a cut
left, for recovery is cut off as well. Each life's cuts are tried by one worker.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed

from property_tests.crash.scenarios import ROLLED_BACK, SCENARIOS, SUCCESS
from property_tests.power.instance_trial import Before, Findings, Life, Trial
from property_tests.power.operations import Kind
from property_tests.report import Waiting, is_told, markdown_table

_KINDS = ("none", *(kind.value for kind in Kind))


def lives(options: argparse.Namespace) -> list[Life]:
    """What is to be recorded: the share of each is the same."""
    chosen = []
    for story, scenario in enumerate(SCENARIOS):
        if options.story and not any(text in scenario.name for text in options.story):
            continue
        for careless in (False, True):
            chosen.append((story, Before.NOTHING, careless, 0))
            chosen += [(story, Before.CUT, careless, number) for number in range(options.again)]
        chosen += [(story, Before.LOSS, False, number) for number in range(options.again)]
        if scenario in (SUCCESS, ROLLED_BACK):
            chosen.append((story, Before.LONG_LOG, False, 0))
    states, real = -(-options.states // len(chosen)), -(-options.real // len(chosen))
    return [Life(*one, states, real, options.seed) for one in chosen]


def _try(life: Life) -> tuple[Life, Findings]:
    return life, Trial(life).run()


class Table:
    """Adds up, and prints."""

    def __init__(self) -> None:
        self.digests: set[bytes] = set()
        self.wrong = 0
        self._rows: dict[str, Findings] = {}
        self._lives: Counter[str] = Counter()

    def add(self, life: Life, findings: Findings) -> None:
        """Take in what came of one life."""
        self.digests |= findings.digests
        self.wrong += findings.wrong
        row = self._rows.setdefault(str(life), Findings())
        self._lives[str(life)] += 1
        row.digests |= findings.digests
        row.kinds += findings.kinds
        row.instants += findings.instants
        row.real += findings.real
        row.wrong += findings.wrong
        for fault in findings.faults:
            print(f"WRONG: {fault}", flush=True)

    def __str__(self) -> str:
        kinds = [kind for kind in _KINDS if any(row.kinds[kind] for row in self._rows.values())]
        head = ["life", "recorded", "instants", *(f"after {kind}" for kind in kinds), "states", "real daemon", "wrong"]
        rows = []
        for name, row in sorted(self._rows.items(), key=lambda item: (": " in item[0], item[0])):
            counts = [row.kinds[kind] for kind in kinds]
            rows.append([name, self._lives[name], row.instants, *counts, len(row.digests), row.real, row.wrong])
        sums = [sum(row[at] for row in rows) for at in range(1, len(head))]
        return "\n".join(markdown_table(head, [*rows, ["all", *sums]]))


def main() -> int:
    """Record, cut, start and judge; print the table, and say with the exit code whether all was well."""
    parser = argparse.ArgumentParser(description="Start the coordinator on everything a power cut may leave.")
    parser.add_argument("--states", type=int, default=125_000, help="how many to try in all (%(default)s)")
    parser.add_argument("--real", type=int, default=500, help="how many of them by the real daemon (%(default)s)")
    parser.add_argument("--again", type=int, default=2, help="lives recorded after a cut, per story (%(default)s)")
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--story", action="append", help="only stories whose name holds this text")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--until-told", help="begin no life after a finding that holds this text")
    options = parser.parse_args()
    begin, table = time.monotonic(), Table()
    planned = lives(options)
    waiting = Waiting(len(planned), "lives")
    with ProcessPoolExecutor(options.jobs) as pool:
        for future in as_completed([pool.submit(_try, life) for life in planned]):
            life, findings = future.result()
            table.add(life, findings)
            waiting.step(table.wrong)
            if is_told(options.until_told, findings.faults):
                pool.shutdown(cancel_futures=True)
                break
    print(table)
    print(f"\n{len(table.digests)} different states; wrong: {table.wrong}")
    print(f"{time.monotonic() - begin:.0f} s, seed {options.seed}")
    return 1 if table.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
