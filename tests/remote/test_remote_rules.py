"""Rules for submitting a request."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from protocol.types import Action
from remote.health.health_registry import HealthStatus
from remote.installed.versions import InstalledVersion
from remote.inventory import ComponentStatus
from remote.releases.catalogue import ReleaseInfo
from remote.releases.release import Release
from remote.rules import RejectionCode, describe_dry_run, evaluate_busy, evaluate_update

AT = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)
NONE_BUSY = frozenset()


def status_of(name, installed, latest, error=None):
    """A component with these versions."""
    release = None
    if latest is not None:
        release = Release(version=latest, notes="", url="", prerelease=False, published_at=None)
    return ComponentStatus(
        name=name,
        display_name=f"dunebugger-{name}",
        installed=InstalledVersion(installed, None if installed else "unknown"),
        releases=ReleaseInfo(release=release, checked_at=AT if release else None, error=error),
        health=HealthStatus(None, None, None),
    )


def components(core=("1.0.0", "1.1.0"), remote=("1.0.0", "1.0.0")):
    """Two components with these installed and latest versions."""
    return {"core": status_of("core", *core), "remote": status_of("remote", *remote)}


@pytest.mark.parametrize(
    ("core", "remote", "busy", "code"),
    [
        (("1.0.0", "1.1.0"), ("1.0.0", "1.0.0"), NONE_BUSY, None),
        (("1.1.0", "1.1.0"), ("1.0.0", "1.0.0"), NONE_BUSY, RejectionCode.UP_TO_DATE),
        (("2.0.0", "1.1.0"), ("1.0.0", "1.0.0"), NONE_BUSY, RejectionCode.UP_TO_DATE),  # an update never downgrades
        (("1.9.0", "1.10.0"), ("1.0.0", "1.0.0"), NONE_BUSY, None),  # numeric, not lexical order
        (("1.0.0-rc.1", "1.0.0"), ("1.0.0", "1.0.0"), NONE_BUSY, None),
        ((None, "1.1.0"), ("1.0.0", "1.0.0"), NONE_BUSY, None),  # the installed version is unknown: the client decides
        (("1.0.0", None), ("1.0.0", "1.0.0"), NONE_BUSY, RejectionCode.NO_RELEASE),
        ((None, None), ("1.0.0", "1.0.0"), NONE_BUSY, RejectionCode.NO_RELEASE),
        (("1.0.0", "1.1.0"), ("1.0.0", "1.1.0"), NONE_BUSY, RejectionCode.REMOTE_FIRST),
        (("1.0.0", "1.1.0"), ("1.0.0", "1.0.0"), frozenset({"remote"}), RejectionCode.REMOTE_FIRST),
        (("1.0.0", "1.1.0"), (None, "1.1.0"), NONE_BUSY, None),  # unknown whether an update of remote is waiting
        (("1.0.0", "1.1.0"), ("1.0.0", "1.1.0"), frozenset({"core"}), RejectionCode.UNDER_WAY),
        (("1.1.0", "1.1.0"), ("1.0.0", "1.1.0"), NONE_BUSY, RejectionCode.UP_TO_DATE),  # the more useful code
    ],
)
def test_update_rules_evaluate_each_case(core, remote, busy, code):
    """Each row has versions and busy components, and the expected rejection code."""
    rejection = evaluate_update("core", components(core, remote), busy)
    assert (rejection and rejection.code) == code


def test_update_rules_never_delay_remote():
    """An update of remote waits for no other component."""
    assert evaluate_update("remote", components(remote=("1.0.0", "1.1.0")), NONE_BUSY) is None


def test_update_rules_impose_no_order_without_remote():
    """A component does not wait for remote if remote is not configured."""
    assert evaluate_update("core", {"core": status_of("core", "1.0.0", "1.1.0")}, NONE_BUSY) is None


def test_update_rules_explain_an_unknown_release():
    """The message has the error of the check and the remedy."""
    rejection = evaluate_update("core", {"core": status_of("core", "1.0.0", None, "cannot check: no route")}, NONE_BUSY)
    assert "cannot check: no route" in rejection.message
    assert "check for updates first" in rejection.message


def test_update_rules_count_only_a_noop_as_success():
    """Every other rejection is a failure."""
    assert evaluate_update("core", components(core=("1.1.0", "1.1.0")), NONE_BUSY).is_noop
    assert not evaluate_busy("core", "dunebugger-core", frozenset({"core"})).is_noop


@pytest.mark.parametrize("action", list(Action))
def test_dry_run_description_states_that_nothing_was_changed(action):
    """The table has a text for every action."""
    assert "nothing was changed" in describe_dry_run(action, status_of("core", "1.0.0", "1.1.0"))
