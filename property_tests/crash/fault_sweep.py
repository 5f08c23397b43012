"""``make fault-sweep``: has every call of the real coordinator fail, one at a time, and judges what came of it.

The answer may be late, never wrong; the coordinator stays up, or ends with an error, is started again and recovers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from property_tests.crash.faults import errors_of
from property_tests.crash.ground_truth import Doubt
from property_tests.crash.scenarios import SCENARIOS
from property_tests.crash.shell_gates import SHELLS
from property_tests.crash.strace import Injection
from property_tests.crash.sweep import Kind, kills, main
from property_tests.crash.syscalls import EVERYTHING, Call
from property_tests.crash.trial import Blow, Look, Trial

# Stories whose first script starts the only launcher there is.
_ONE_LANE = [
    story
    for story in SCENARIOS
    if len(story.components) == 1 and story.wishes[0].runs and not (story.at_birth or story.settled)
]


def errors(role: str, call: Call) -> Iterator[Blow]:
    """Each error that the call might return."""
    for error in errors_of(call):
        yield Blow(role, Injection(call.name, call.nth, f"error={error}"), is_rare=call.is_start_up, place=call.place)


FAULTS = Kind(
    purpose="Have every call of the coordinator fail, with each error that it might return.",
    noun="errors",
    look=Look(EVERYTHING, watches=True, stops=True),
    blows=errors,
    doubt=Doubt(hindered=True),
    first=kills,
    always=lambda _trial: False,
    is_punctual=False,
    more=tuple(
        Trial(
            story,
            f"{story.name}: {shell}",
            look=Look(EVERYTHING, roles=(shell,)),
            doubt=Doubt(hindered=True, interrupted=True),  # a shell that dies takes what it knows with it
        )
        for story in _ONE_LANE
        for shell in SHELLS
    ),
)

if __name__ == "__main__":
    sys.exit(main(FAULTS))
