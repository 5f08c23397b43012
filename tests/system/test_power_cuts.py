"""The machine's power is cut in each phase of an update; it boots, and each request ends as it must (I9)."""

from __future__ import annotations

import pytest
from polling import wait_until
from provisioned_host import ProvisionedHost

# What the packaged scripts say of themselves, in this order.
REMOTE_PHASES = ("check", "pull", "backup", "set-image", "start", "verify")
CORE_PHASES = (
    *("check", "release", "download", "verify-download", "backup"),
    *("unpack", "dependencies", "switch", "restart", "verify"),
)


@pytest.fixture(autouse=True)
def present(host: ProvisionedHost):
    """Each cut begins with 1.0.0 of everything; what an earlier one left is put right by the coordinator itself."""
    for component in ("remote", "core"):
        final = host.submit_and_wait(component, "update", "1.0.0")
        assert final["success"], final


def cut_and_boot(host: ProvisionedHost) -> None:
    """Off, and on again; nobody starts the coordinator but systemd."""
    host.machine.cut_power()
    host.machine.boot()
    host.wait_for_service()


def expect_undone(host: ProvisionedHost, request_id: str) -> None:
    """The one answer is that it was interrupted, and that what was there before is there again."""
    final = host.wait_for_answer(request_id)
    assert (final["success"], final["state"], final["reason"]) == (False, "rolled_back", "interrupted"), final
    assert [attempt["script"] for attempt in final["attempts"]] == ["update.sh", "rollback.sh", "health-check.sh"]
    request = f"{request_id}.json"
    wait_until(
        lambda: request not in host.sh("ls -A /var/dunebugger/updates/requests"),
        f"{request} to be taken away",
    )


@pytest.mark.parametrize("phase", REMOTE_PHASES)
def test_power_cut_during_a_container_update_is_undone(host: ProvisionedHost, phase: str):
    """1.0.0 runs again, and the compose file says so."""
    request_id = host.submit("remote", "update", "1.1.0", f"remote-cut-in-{phase}")
    host.wait_for_phase(request_id, phase)
    cut_and_boot(host)
    expect_undone(host, request_id)
    assert (host.compose_file_version(), host.running_version()) == ("1.0.0", ("1.0.0", "running"))


@pytest.mark.parametrize("phase", CORE_PHASES)
def test_power_cut_during_a_core_update_is_undone(host: ProvisionedHost, phase: str):
    """1.0.0 answers again."""
    request_id = host.submit("core", "update", "1.1.0", f"core-cut-in-{phase}")
    host.wait_for_phase(request_id, phase)
    cut_and_boot(host)
    expect_undone(host, request_id)
    assert host.core_release() == "1.0.0"
    wait_until(lambda: host.core_version() == "1.0.0", "core 1.0.0 to answer")


@pytest.mark.parametrize("phase", ["check", "restore", "verify-restored"])
def test_power_cut_during_a_rollback_ends_as_failed(host: ProvisionedHost, phase: str):
    """An interrupted rollback is not tried again by itself: the answer is failed, and says that a person is needed."""
    assert host.submit_and_wait("remote", "update", "1.1.0")["success"]
    request_id = host.submit("remote", "rollback", request_id=f"rollback-cut-in-{phase}")
    host.wait_for_phase(request_id, phase)
    cut_and_boot(host)
    final = host.wait_for_answer(request_id)
    assert (final["success"], final["state"], final["reason"]) == (False, "failed", "interrupted"), final
    assert host.submit_and_wait("remote", "rollback")["success"]
    assert (host.compose_file_version(), host.running_version()) == ("1.0.0", ("1.0.0", "running"))


def test_a_health_check_that_loses_power_runs_again(host: ProvisionedHost):
    """It changes nothing, so the answer is that of a second run."""
    request_id = host.submit("remote", "health", request_id="health-cut")
    host.wait_for_phase(request_id, "check")
    cut_and_boot(host)
    final = host.wait_for_answer(request_id)
    assert (final["success"], final["message"]) == (True, "Healthy")
