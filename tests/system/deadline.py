"""Waiting for what will be true, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

DEADLINE_S = 60.0
_POLL_S = 0.02


def until(condition: Callable[[], Any], what: str | Callable[[], str], deadline_s: float = DEADLINE_S) -> Any:
    """Wait until ``condition`` is true and return what it returned; fail with ``what`` when it never is.

    A ``what`` that is called is called at the deadline: it tells what the matter is by then.
    """
    end = time.monotonic() + deadline_s
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline_s:g} s in vain: {what if isinstance(what, str) else what()}")
        time.sleep(_POLL_S)
    return found
