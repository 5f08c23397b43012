"""Updates of the Python application core, a systemd service, from a server with GitHub's API."""

from __future__ import annotations

import pytest
from provisioned_host import CORE_UNIT, ProvisionedHost

from tests.support.polling import wait_until

_SCRIPTS = "ls -l --time-style=full-iso /opt/dunebugger/core/*.sh /opt/dunebugger/core/component.env"


@pytest.fixture(autouse=True)
def release_1_0_0(host: ProvisionedHost):
    """Install release 1.0.0 of core before each test."""
    if host.core_release() != "1.0.0":
        assert host.submit_and_wait("core", "update", "1.0.0")["success"]
    wait_until(lambda: host.core_version() == "1.0.0", "core 1.0.0 to answer")


def test_core_update_installs_and_restarts(host: ProvisionedHost):
    """The update creates a release folder and switches the link; the component scripts are unchanged."""
    before = host.sh(_SCRIPTS)
    final = host.submit_and_wait("core", "update", "1.1.0")
    assert (final["success"], final["state"]) == (True, "succeeded"), final
    assert (host.core_release(), host.core_version()) == ("1.1.0", "1.1.0")
    assert host.sh(_SCRIPTS) == before
    assert host.submit_and_wait("core", "rollback")["success"]
    assert (host.core_release(), host.core_version()) == ("1.0.0", "1.0.0")


@pytest.mark.parametrize(
    ("version", "message"), [("1.2.0", "cannot find the settings"), ("1.3.0", "does not respond to")]
)
def test_core_update_to_a_broken_release_is_rolled_back(host: ProvisionedHost, version: str, message: str):
    """Release 1.2.0 does not start, 1.3.0 fails its health check: 1.0.0 runs again."""
    final = host.submit_and_wait("core", "update", version)
    assert (final["state"], final["reason"]) == ("rolled_back", "script_failed")
    assert message in final["error"]
    assert (host.core_release(), host.core_version()) == ("1.0.0", "1.0.0")


def test_core_update_rejects_a_manipulated_artifact(host: ProvisionedHost):
    """The digest differs from the published one: nothing changes, and the service is not restarted."""
    pid = host.sh(f"systemctl show --property=MainPID {CORE_UNIT}")
    final = host.submit_and_wait("core", "update", "1.4.0")
    assert final["state"] == "rolled_back"
    assert "cannot verify app-1.4.0.tar.gz" in final["error"]
    assert host.sh(f"systemctl show --property=MainPID {CORE_UNIT}") == pid


def test_core_update_to_a_missing_release_changes_nothing(host: ProvisionedHost):
    """The update fails before it changes a file or restarts the service."""
    pid = host.sh(f"systemctl show --property=MainPID {CORE_UNIT}")
    final = host.submit_and_wait("core", "update", "7.7.7")
    assert "cannot read release v7.7.7" in final["error"]
    assert host.sh(f"systemctl show --property=MainPID {CORE_UNIT}") == pid
