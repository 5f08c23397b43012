"""The power is cut in each phase of an update or rollback; after the boot each request has a true answer (I9)."""

from __future__ import annotations

import pytest
from provisioned_host import ProvisionedHost

from tests.support.polling import wait_until

# The phases that the packaged scripts report, in order.
REMOTE_PHASES = ("check", "pull", "backup", "set-image", "start", "verify")
CORE_PHASES = (
    *("check", "release", "download", "verify-download", "backup"),
    *("unpack", "dependencies", "switch", "restart", "verify"),
)


@pytest.fixture(autouse=True)
def release_1_0_0(host: ProvisionedHost):
    """Install release 1.0.0 of every component with requests before each test."""
    for component in ("remote", "core"):
        final = host.submit_and_wait(component, "update", "1.0.0")
        assert final["success"], final


def cut_and_boot(host: ProvisionedHost) -> None:
    """Cut the power, boot, and wait until systemd has started the coordinator."""
    host.machine.cut_power()
    host.machine.boot()
    host.wait_for_service()


def assert_rolled_back(host: ProvisionedHost, request_id: str) -> None:
    """Check that the answer is rolled_back, interrupted, and that the request file is removed."""
    final = host.wait_for_answer(request_id)
    assert (final["success"], final["state"], final["reason"]) == (False, "rolled_back", "interrupted"), final
    assert [attempt["script"] for attempt in final["attempts"]] == ["update.sh", "rollback.sh", "health-check.sh"]
    request = f"{request_id}.json"
    wait_until(
        lambda: request not in host.sh("ls -A /var/dunebugger/updates/requests"),
        f"{request} to be removed",
    )


@pytest.mark.parametrize("phase", REMOTE_PHASES)
def test_power_cut_during_a_container_update_is_rolled_back(host: ProvisionedHost, phase: str):
    """Release 1.0.0 runs again and is in the compose file."""
    request_id = host.submit("remote", "update", "1.1.0", f"remote-cut-in-{phase}")
    host.wait_for_phase(request_id, phase)
    cut_and_boot(host)
    assert_rolled_back(host, request_id)
    assert (host.compose_file_version(), host.running_version()) == ("1.0.0", ("1.0.0", "running"))


@pytest.mark.parametrize("phase", CORE_PHASES)
def test_power_cut_during_a_core_update_is_rolled_back(host: ProvisionedHost, phase: str):
    """Release 1.0.0 responds again."""
    request_id = host.submit("core", "update", "1.1.0", f"core-cut-in-{phase}")
    host.wait_for_phase(request_id, phase)
    cut_and_boot(host)
    assert_rolled_back(host, request_id)
    assert host.core_release() == "1.0.0"
    wait_until(lambda: host.core_version() == "1.0.0", "core 1.0.0 to answer")


@pytest.mark.parametrize("phase", ["check", "restore", "verify-restored"])
def test_power_cut_during_a_rollback_ends_as_failed(host: ProvisionedHost, phase: str):
    """An interrupted rollback is not retried: the answer is failed, interrupted, and a new rollback succeeds."""
    assert host.submit_and_wait("remote", "update", "1.1.0")["success"]
    request_id = host.submit("remote", "rollback", request_id=f"rollback-cut-in-{phase}")
    host.wait_for_phase(request_id, phase)
    cut_and_boot(host)
    final = host.wait_for_answer(request_id)
    assert (final["success"], final["state"], final["reason"]) == (False, "failed", "interrupted"), final
    assert host.submit_and_wait("remote", "rollback")["success"]
    assert (host.compose_file_version(), host.running_version()) == ("1.0.0", ("1.0.0", "running"))


def test_health_check_interrupted_by_a_power_cut_is_rerun(host: ProvisionedHost):
    """A health check changes nothing, so it is rerun and determines the answer."""
    request_id = host.submit("remote", "health", request_id="health-cut")
    host.wait_for_phase(request_id, "check")
    cut_and_boot(host)
    final = host.wait_for_answer(request_id)
    assert (final["success"], final["message"]) == (True, "Healthy")
