"""Waiting for what will be true, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

DEADLINE_S = 60.0
# Most conditions start a program in the machine: looks further and further apart leave the processors to the others.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _GROWTH = 0.02, 0.25, 1.5


def wait_until(condition: Callable[[], Any], what: str | Callable[[], str], deadline_s: float = DEADLINE_S) -> Any:
    """Wait until ``condition`` is true and return what it returned; fail with ``what`` when it never is.

    A ``what`` that is called is called at the deadline: it tells what the matter is by then.
    """
    end = time.monotonic() + deadline_s
    pause = _FIRST_PAUSE_S
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline_s:g} s in vain: {what if isinstance(what, str) else what()}")
        time.sleep(pause)
        pause = min(pause * _GROWTH, _LONGEST_PAUSE_S)
    return found
