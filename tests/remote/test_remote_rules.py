"""What may be updated now, and to what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from protocol.types import Action
from remote.health.health_registry import HealthStatus
from remote.installed.versions import InstalledVersion
from remote.overview import Comparison
from remote.releases.catalogue import ReleaseInfo
from remote.releases.release import Release
from remote.rules import Objection, judge_busy, judge_update, what_would_happen

AT = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)
NOBODY = frozenset()


def comparison(name, installed, latest, error=None):
    """A component with these versions."""
    release = None
    if latest is not None:
        release = Release(version=latest, notes="", url="", prerelease=False, published_at=None)
    return Comparison(
        name=name,
        display_name=f"dunebugger-{name}",
        installed=InstalledVersion(installed, None if installed else "cannot tell"),
        known=ReleaseInfo(release=release, checked_at=AT if release else None, error=error),
        standing=HealthStatus(None, None, None),
    )


def household(core=("1.0.0", "1.1.0"), remote=("1.0.0", "1.0.0")):
    """Two components with these installed and latest versions."""
    return {"core": comparison("core", *core), "remote": comparison("remote", *remote)}


@pytest.mark.parametrize(
    ("core", "remote", "busy", "objection"),
    [
        (("1.0.0", "1.1.0"), ("1.0.0", "1.0.0"), NOBODY, None),
        (("1.1.0", "1.1.0"), ("1.0.0", "1.0.0"), NOBODY, Objection.UP_TO_DATE),
        (("2.0.0", "1.1.0"), ("1.0.0", "1.0.0"), NOBODY, Objection.UP_TO_DATE),  # never back by an update
        (("1.9.0", "1.10.0"), ("1.0.0", "1.0.0"), NOBODY, None),  # by number, not by letter
        (("1.0.0-rc.1", "1.0.0"), ("1.0.0", "1.0.0"), NOBODY, None),
        ((None, "1.1.0"), ("1.0.0", "1.0.0"), NOBODY, None),  # whoever asks for it knows better than we do
        (("1.0.0", None), ("1.0.0", "1.0.0"), NOBODY, Objection.NO_RELEASE),
        ((None, None), ("1.0.0", "1.0.0"), NOBODY, Objection.NO_RELEASE),
        (("1.0.0", "1.1.0"), ("1.0.0", "1.1.0"), NOBODY, Objection.REMOTE_FIRST),
        (("1.0.0", "1.1.0"), ("1.0.0", "1.0.0"), frozenset({"remote"}), Objection.REMOTE_FIRST),
        (("1.0.0", "1.1.0"), (None, "1.1.0"), NOBODY, None),  # nobody knows whether one is waiting
        (("1.0.0", "1.1.0"), ("1.0.0", "1.1.0"), frozenset({"core"}), Objection.UNDER_WAY),
        (("1.1.0", "1.1.0"), ("1.0.0", "1.1.0"), NOBODY, Objection.UP_TO_DATE),  # which is more to the point
    ],
)
def test_when_core_is_updated_and_when_not(core, remote, busy, objection):
    """One line per situation."""
    refusal = judge_update("core", household(core, remote), busy)
    assert (refusal and refusal.objection) == objection


def test_remote_itself_waits_for_nobody():
    """It is the one that goes first."""
    assert judge_update("remote", household(remote=("1.0.0", "1.1.0")), NOBODY) is None


def test_a_household_without_remote_has_no_order():
    """Nobody waits for what is not there."""
    assert judge_update("core", {"core": comparison("core", "1.0.0", "1.1.0")}, NOBODY) is None


def test_a_release_that_is_not_known_is_told_with_the_reason():
    """What the check ran into, and what to do."""
    refusal = judge_update("core", {"core": comparison("core", "1.0.0", None, "cannot check: no route")}, NOBODY)
    assert "cannot check: no route" in refusal.message
    assert "check for updates first" in refusal.message


def test_only_what_need_not_be_done_is_a_success():
    """All other refusals are failures."""
    assert judge_update("core", household(core=("1.1.0", "1.1.0")), NOBODY).is_content
    assert not judge_busy("core", "dunebugger-core", frozenset({"core"})).is_content


@pytest.mark.parametrize("action", list(Action))
def test_a_dry_run_says_that_nothing_was_changed(action):
    """Whatever was asked for."""
    assert "nothing was changed" in what_would_happen(action, comparison("core", "1.0.0", "1.1.0"))
