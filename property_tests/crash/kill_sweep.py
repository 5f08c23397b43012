"""``make crash-sweep``: kills the real coordinator at every system call that changes anything."""

from __future__ import annotations

import sys

from property_tests.crash.scenarios import ROLLED_BACK, SUCCESS
from property_tests.crash.sweep import SweepSpec, kills, main
from property_tests.crash.trial import TraceSpec

KILLS = SweepSpec(
    purpose="Kill the coordinator at every system call that changes anything.",
    noun="kills",
    trace=TraceSpec(),
    disruptions=kills,
    uncertainty=None,
    first=kills,
    always=lambda trial: trial.scenario in (SUCCESS, ROLLED_BACK),
)

if __name__ == "__main__":
    sys.exit(main(KILLS))
