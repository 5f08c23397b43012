"""``make fault-sweep``: injects every error into every system call of the real coordinator, one at a time.

An answer may be late, never wrong; the coordinator stays up, or exits with an error, is restarted and recovers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from property_tests.crash.faults import errors_of
from property_tests.crash.ground_truth import Uncertainty
from property_tests.crash.scenarios import SCENARIOS
from property_tests.crash.shell_gates import SHELLS
from property_tests.crash.strace import Injection
from property_tests.crash.sweep import SweepSpec, kills, main
from property_tests.crash.syscalls import EVERYTHING, Syscall
from property_tests.crash.trial import Disruption, TraceSpec, Trial

# Scenarios whose first script starts the only launcher.
_ONE_LANE = [
    scenario
    for scenario in SCENARIOS
    if len(scenario.components) == 1
    and scenario.planned[0].runs
    and not (scenario.before_first_start or scenario.settled)
]


def errors(role: str, call: Syscall) -> Iterator[Disruption]:
    """Each error that the call might return."""
    for error in errors_of(call):
        yield Disruption(
            role, Injection(call.name, call.nth, f"error={error}"), is_rare=call.is_start_up, place=call.place
        )


FAULTS = SweepSpec(
    purpose="Make every system call of the coordinator fail, with each error it might return.",
    noun="errors",
    trace=TraceSpec(EVERYTHING, watches=True, stops=True),
    disruptions=errors,
    uncertainty=Uncertainty(start_failed=True),
    first=kills,
    always=lambda _trial: False,
    is_punctual=False,
    more=tuple(
        Trial(
            scenario,
            f"{scenario.name}: {shell}",
            trace=TraceSpec(EVERYTHING, roles=(shell,)),
            uncertainty=Uncertainty(start_failed=True, interrupted=True),  # a failing shell loses the exit code
        )
        for scenario in _ONE_LANE
        for shell in SHELLS
    ),
)

if __name__ == "__main__":
    sys.exit(main(FAULTS))
