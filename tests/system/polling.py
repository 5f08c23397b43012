"""Poll a condition with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

DEADLINE_S = 60.0
# Most conditions start a program in the machine: growing pauses reserve processor time for the tested programs.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _GROWTH = 0.02, 0.25, 1.5


def wait_until(condition: Callable[[], Any], what: str | Callable[[], str], deadline_s: float = DEADLINE_S) -> Any:
    """Wait until ``condition`` returns a true value, and return it; fail with ``what`` after ``deadline_s``.

    A callable ``what`` is called at the deadline, to describe the state at that time.
    """
    end = time.monotonic() + deadline_s
    pause = _FIRST_PAUSE_S
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(pause)
        pause = min(pause * _GROWTH, _LONGEST_PAUSE_S)
    return found
