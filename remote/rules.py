"""Rules for submitting a request now. Pure: facts are arguments, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from protocol.types import Action
from remote.inventory import ComponentStatus
from remote.settings import SELF


class RejectionCode(StrEnum):
    """Why no request is submitted: stable codes, beside ``protocol.types.Reason`` and ``FailureCode``."""

    UNKNOWN_COMPONENT = "unknown_component"
    NO_RELEASE = "no_release"
    UP_TO_DATE = "up_to_date"
    REMOTE_FIRST = "remote_first"
    UNDER_WAY = "under_way"


@dataclass(frozen=True)
class CommandRejection:
    """Why no request is submitted, as code and text; ``is_noop`` when there is nothing to do, which is a success."""

    code: RejectionCode
    message: str
    is_noop: bool = False


def evaluate_update(
    component: str, statuses: Mapping[str, ComponentStatus], busy: frozenset[str]
) -> CommandRejection | None:
    """Why ``component`` is not updated now; None when it may be.

    Args:
        component: a configured name.
        statuses: of all components, as they are now.
        busy: components with a request that has no answer yet.
    """
    status = statuses[component]
    if rejection := evaluate_busy(component, status.display_name, busy):
        return rejection
    if status.latest is None:
        why = f": {status.releases.error}" if status.releases.error else ""
        return CommandRejection(
            RejectionCode.NO_RELEASE,
            f"cannot update {status.display_name}: its latest release is not known{why}; check for updates first",
        )
    if status.installed.version is not None and not status.update_available:
        return CommandRejection(
            RejectionCode.UP_TO_DATE,
            f"{status.display_name} is up to date: {status.installed.version} is installed, {status.latest} is the "
            "latest release",
            is_noop=True,
        )
    return _evaluate_order(component, statuses, busy)


def _evaluate_order(
    component: str, statuses: Mapping[str, ComponentStatus], busy: frozenset[str]
) -> CommandRejection | None:
    """``remote`` is updated first: the others are updated by its newest release."""
    first = statuses.get(SELF)
    if component == SELF or first is None or not (first.update_available or SELF in busy):
        return None
    return CommandRejection(
        RejectionCode.REMOTE_FIRST,
        f"cannot update {statuses[component].display_name} yet: an update of {first.display_name} is available or "
        "under way; update it first",
    )


def evaluate_busy(component: str, display_name: str, busy: frozenset[str]) -> CommandRejection | None:
    """Why no request is submitted for a component that has one under way; None when it has none."""
    if component not in busy:
        return None
    return CommandRejection(
        RejectionCode.UNDER_WAY,
        f"cannot submit a request for {display_name} now: another one is under way; wait for it",
    )


def describe_dry_run(action: Action, status: ComponentStatus) -> str:
    """What ``action`` would do."""
    name, current = status.display_name, status.installed.version or "an unknown version"
    return {
        Action.UPDATE: f"would update {name} from {current} to {status.latest}; nothing was changed",
        Action.ROLLBACK: f"would restore the version of {name} before its latest update; nothing was changed",
        Action.HEALTH: f"would check {name}; nothing was changed",
    }[action]
