"""``make power-cuts``: records what the coordinator writes, and restarts it on every state that a power cut may leave.

Every scenario is recorded with a client that syncs its requests and with one that does not; then again from a crash
state, because the power can fail during recovery too. One worker tries all cuts of an instance.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace

from property_tests.crash.scenarios import ROLLED_BACK, SCENARIOS, SUCCESS
from property_tests.power.instance_trial import Findings, InstanceSpec, InstanceTrial, Precondition
from property_tests.power.operations import OperationKind
from property_tests.report import ProgressMeter, is_reported, markdown_table

_KINDS = ("none", *(kind.value for kind in OperationKind))


def instances_to_record(options: argparse.Namespace) -> list[InstanceSpec]:
    """The instances to record; each gets the same share of states."""
    possible = []
    for index, scenario in enumerate(SCENARIOS):
        for client_skips_fsync in (False, True):
            possible.append((index, Precondition.NOTHING, client_skips_fsync, 0))
            possible += [(index, Precondition.CUT, client_skips_fsync, number) for number in range(options.again)]
        possible += [(index, Precondition.LOSS, False, number) for number in range(options.again)]
        if scenario in (SUCCESS, ROLLED_BACK):
            possible.append((index, Precondition.LONG_LOG, False, 0))
    specs = [InstanceSpec(*one, states=0, real=0, seed=options.seed) for one in possible]
    chosen = [spec for spec in specs if any(text in str(spec) for text in options.scenario or [""])]
    if not chosen:
        raise SystemExit(f"no row of the table has a name that contains {' or '.join(options.scenario)}")
    states, real = -(-options.states // len(chosen)), -(-options.real // len(chosen))
    return [replace(spec, states=states, real=real) for spec in chosen]


def _run_trial(spec: InstanceSpec, options: argparse.Namespace) -> tuple[InstanceSpec, Findings]:
    return spec, InstanceTrial(spec, options.only, options.until_violation).run()


class PowerCutSummary:
    """Adds up and prints the results."""

    def __init__(self) -> None:
        self.digests: set[bytes] = set()
        self.wrong = 0
        self._rows: dict[str, Findings] = {}
        self._instances: Counter[str] = Counter()

    def add(self, spec: InstanceSpec, findings: Findings) -> None:
        """Add the findings of one instance."""
        self.digests |= findings.digests
        self.wrong += findings.wrong
        row = self._rows.setdefault(str(spec), Findings())
        self._instances[str(spec)] += 1
        row.digests |= findings.digests
        row.kinds += findings.kinds
        row.crash_points += findings.crash_points
        row.real += findings.real
        row.wrong += findings.wrong
        for violation in findings.violations:
            print(f"WRONG: {violation}", flush=True)

    def __str__(self) -> str:
        kinds = [kind for kind in _KINDS if any(row.kinds[kind] for row in self._rows.values())]
        head = [
            "instance",
            "recorded",
            "crash points",
            *(f"after {kind}" for kind in kinds),
            "states",
            "real daemon",
            "wrong",
        ]
        rows = []
        for name, row in sorted(self._rows.items(), key=lambda item: (": " in item[0], item[0])):
            counts = [row.kinds[kind] for kind in kinds]
            rows.append([name, self._instances[name], row.crash_points, *counts, len(row.digests), row.real, row.wrong])
        sums = [sum(row[at] for row in rows) for at in range(1, len(head))]
        return "\n".join(markdown_table(head, [*rows, ["all", *sums]]))


def main() -> int:
    """Record, cut, restart and check; print the table; returns 1 if there were violations."""
    parser = argparse.ArgumentParser(description="Restart the coordinator on every state that a power cut may leave.")
    parser.add_argument("--states", type=int, default=125_000, help="total number of states (%(default)s)")
    parser.add_argument(
        "--real", type=int, default=500, help="states on which the real daemon is started (%(default)s)"
    )
    parser.add_argument(
        "--again", type=int, default=2, help="instances recorded after a cut, per scenario (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--scenario", action="append", help="only rows of the table whose name contains this text")
    parser.add_argument("--only", default="", help="only cuts after an operation whose description contains this text")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--until-violation", help="stop after a violation that contains this text")
    options = parser.parse_args()
    begin, summary = time.monotonic(), PowerCutSummary()
    planned = instances_to_record(options)
    meter = ProgressMeter(len(planned), "instances")
    with ProcessPoolExecutor(options.jobs) as pool:
        for future in as_completed([pool.submit(_run_trial, spec, options) for spec in planned]):
            spec, findings = future.result()
            summary.add(spec, findings)
            meter.step(summary.wrong)
            if is_reported(options.until_violation, findings.violations):
                pool.shutdown(cancel_futures=True)
                break
    if not summary.digests:
        raise SystemExit(f"nothing was tried: no operation has a description that contains {options.only!r}")
    print(summary)
    print(f"\n{len(summary.digests)} distinct states; wrong: {summary.wrong}")
    print(f"{time.monotonic() - begin:.0f} s, seed {options.seed}")
    return 1 if summary.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
