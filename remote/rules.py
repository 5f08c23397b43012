"""What may be updated now, and to what. Judges only; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from protocol.types import Action
from remote.inventory import Comparison
from remote.settings import SELF


class Objection(StrEnum):
    """Why nothing is asked of the host: stable codes, beside ``Reason`` and ``Trouble``."""

    UNKNOWN_COMPONENT = "unknown_component"
    NO_RELEASE = "no_release"
    UP_TO_DATE = "up_to_date"
    REMOTE_FIRST = "remote_first"
    UNDER_WAY = "under_way"


@dataclass(frozen=True)
class Refusal:
    """Why nothing is asked, in words; ``is_content`` when nothing need be done."""

    objection: Objection
    message: str
    is_content: bool = False


def judge_update(component: str, comparisons: Mapping[str, Comparison], busy: frozenset[str]) -> Refusal | None:
    """Why ``component`` is not updated now; None when it may be.

    Args:
        component: a configured name.
        comparisons: of all components, as they are now.
        busy: components with a request that has no answer yet.
    """
    wanted = comparisons[component]
    if refusal := judge_busy(component, wanted.display_name, busy):
        return refusal
    if wanted.latest is None:
        why = f": {wanted.known.error}" if wanted.known.error else ""
        return Refusal(
            Objection.NO_RELEASE,
            f"cannot update {wanted.display_name}: its latest release is not known{why}; check for updates first",
        )
    if wanted.installed.version is not None and not wanted.update_available:
        return Refusal(
            Objection.UP_TO_DATE,
            f"{wanted.display_name} is up to date: {wanted.installed.version} is installed, {wanted.latest} is the "
            "latest release",
            is_content=True,
        )
    return _judge_order(component, comparisons, busy)


def _judge_order(component: str, comparisons: Mapping[str, Comparison], busy: frozenset[str]) -> Refusal | None:
    """``remote`` is updated first: the newest of it knows best how to update the others."""
    first = comparisons.get(SELF)
    if component == SELF or first is None or not (first.update_available or SELF in busy):
        return None
    return Refusal(
        Objection.REMOTE_FIRST,
        f"cannot update {comparisons[component].display_name} yet: an update of {first.display_name} is waiting; "
        "update it first",
    )


def judge_busy(component: str, display_name: str, busy: frozenset[str]) -> Refusal | None:
    """Why nothing is asked of a component that is being worked on."""
    if component not in busy:
        return None
    return Refusal(
        Objection.UNDER_WAY, f"cannot do this with {display_name} now: another request for it is under way; wait for it"
    )


def what_would_happen(action: Action, comparison: Comparison) -> str:
    """What a dry run tells."""
    name, current = comparison.display_name, comparison.installed.version or "an unknown version"
    return {
        Action.UPDATE: f"would update {name} from {current} to {comparison.latest}; nothing was changed",
        Action.ROLLBACK: f"would put {name} back to what was there before its latest update; nothing was changed",
        Action.HEALTH: f"would check {name}; nothing was changed",
    }[action]
