"""Poll a condition with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

_DEADLINE_S = 120.0  # far above what any step takes on a busy machine
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.005, 0.25
_PAUSE_SHARE = 0.05  # of the time waited so far: a long wait leaves the processor to the tested programs


def wait_until(
    condition: Callable[[], Any],
    what: str | Callable[[], str] = "the condition",
    deadline_s: float = _DEADLINE_S,
) -> Any:
    """Wait until ``condition`` returns a true value, and return that value.

    Args:
        condition: called at least once; an exception that it raises is not caught.
        what: names what is awaited; a callable is called at the deadline, to describe the state at that time.
        deadline_s: seconds after which the wait fails.

    Raises:
        AssertionError: ``deadline_s`` has passed; its text contains ``what``.
    """
    begin = time.monotonic()
    while not (found := condition()):
        waited = time.monotonic() - begin
        if waited > deadline_s:
            raise AssertionError(f"not within {deadline_s:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(min(max(_SHORTEST_PAUSE_S, waited * _PAUSE_SHARE), _LONGEST_PAUSE_S))
    return found
