"""``make crash-sweep``: kills the real coordinator at every call that changes anything, and judges what came of it."""

from __future__ import annotations

import sys

from property_tests.crash.scenarios import ROLLED_BACK, SUCCESS
from property_tests.crash.sweep import Kind, kills, main
from property_tests.crash.trial import Look

KILLS = Kind(
    purpose="Kill the coordinator at every call that changes anything.",
    noun="kills",
    look=Look(),
    blows=kills,
    doubt=None,
    first=kills,
    always=lambda trial: trial.scenario in (SUCCESS, ROLLED_BACK),
)

if __name__ == "__main__":
    sys.exit(main(KILLS))
