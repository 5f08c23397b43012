"""``update-coordinator diagram``."""

from __future__ import annotations

from fsm.transition_table import TRANSITIONS
from protocol.types import State

TERMINAL = (State.SUCCEEDED, State.ROLLED_BACK, State.FAILED)


def mermaid() -> str:
    """The state diagram as Mermaid text."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.RECEIVED}"]
    lines += [f"    {each.source} --> {each.dest}: {each.event}" for each in TRANSITIONS]
    lines += [f"    {state} --> [*]" for state in TERMINAL]
    return "\n".join(lines) + "\n"


def execute() -> int:
    """Print it."""
    print(mermaid(), end="")  # noqa: T201
    return 0
