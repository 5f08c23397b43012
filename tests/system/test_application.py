"""Updates of the Python application core, a service of systemd, from a server that speaks as GitHub does."""

from __future__ import annotations

import pytest
from polling import until
from provisioned_host import CORE_UNIT, Household

_SCRIPTS = "ls -l --time-style=full-iso /opt/dunebugger/core/*.sh /opt/dunebugger/core/component.env"


@pytest.fixture(autouse=True)
def present(household: Household):
    """Each test begins with 1.0.0."""
    if household.core_link() != "1.0.0":
        assert household.settle("core", "update", "1.0.0")["success"]
    until(lambda: household.core_answers() == "1.0.0", "core 1.0.0 to answer")


def test_an_update_installs_and_restarts(household: Household):
    """A new folder, a new environment, one switch of the link; the scripts beside it stay as they are."""
    before = household.sh(_SCRIPTS)
    final = household.settle("core", "update", "1.1.0")
    assert (final["success"], final["state"]) == (True, "succeeded"), final
    assert (household.core_link(), household.core_answers()) == ("1.1.0", "1.1.0")
    assert household.sh(_SCRIPTS) == before
    assert household.settle("core", "rollback")["success"]
    assert (household.core_link(), household.core_answers()) == ("1.0.0", "1.0.0")


@pytest.mark.parametrize(("version", "told"), [("1.2.0", "cannot find my settings"), ("1.3.0", "does not respond to")])
def test_a_broken_release_is_rolled_back(household: Household, version: str, told: str):
    """One does not start, one does not answer well: 1.0.0 runs again."""
    final = household.settle("core", "update", version)
    assert (final["state"], final["reason"]) == ("rolled_back", "script_failed")
    assert told in final["error"]
    assert (household.core_link(), household.core_answers()) == ("1.0.0", "1.0.0")


def test_a_tampered_artifact_is_refused(household: Household):
    """Its digest is not the one that the release publishes: nothing is touched, the service is not even restarted."""
    pid = household.sh(f"systemctl show --property=MainPID {CORE_UNIT}")
    final = household.settle("core", "update", "1.4.0")
    assert final["state"] == "rolled_back"
    assert "cannot verify app-1.4.0.tar.gz" in final["error"]
    assert household.sh(f"systemctl show --property=MainPID {CORE_UNIT}") == pid


def test_a_release_that_does_not_exist_is_refused(household: Household):
    """Nothing is touched."""
    pid = household.sh(f"systemctl show --property=MainPID {CORE_UNIT}")
    final = household.settle("core", "update", "7.7.7")
    assert "cannot read release v7.7.7" in final["error"]
    assert household.sh(f"systemctl show --property=MainPID {CORE_UNIT}") == pid
