"""The machine's power is cut in each phase of an update; it boots, and each request ends as it must (I9)."""

from __future__ import annotations

import pytest
from polling import until
from provisioned_host import Household

# What the packaged scripts say of themselves, in this order.
REMOTE_PHASES = ("check", "pull", "backup", "set-image", "start", "verify")
CORE_PHASES = (
    *("check", "release", "download", "verify-download", "backup"),
    *("unpack", "dependencies", "switch", "restart", "verify"),
)


@pytest.fixture(autouse=True)
def present(household: Household):
    """Each cut begins with 1.0.0 of everything; what an earlier one left is put right by the coordinator itself."""
    for component in ("remote", "core"):
        final = household.settle(component, "update", "1.0.0")
        assert final["success"], final


def cut_and_boot(household: Household) -> None:
    """Off, and on again; nobody starts the coordinator but systemd."""
    household.machine.cut_power()
    household.machine.boot()
    household.await_service()


def expect_undone(household: Household, request_id: str) -> None:
    """The one answer is that it was interrupted, and that what was there before is there again."""
    final = household.answer(request_id)
    assert (final["success"], final["state"], final["reason"]) == (False, "rolled_back", "interrupted"), final
    assert [attempt["script"] for attempt in final["attempts"]] == ["update.sh", "rollback.sh", "health-check.sh"]
    request = f"{request_id}.json"
    until(lambda: request not in household.sh("ls -A /var/dunebugger/updates/requests"), f"{request} to be taken away")


@pytest.mark.parametrize("phase", REMOTE_PHASES)
def test_an_update_of_a_container_that_loses_power_is_undone(household: Household, phase: str):
    """1.0.0 runs again, and the compose file says so."""
    request_id = household.ask("remote", "update", "1.1.0", f"remote-cut-in-{phase}")
    household.await_phase(request_id, phase)
    cut_and_boot(household)
    expect_undone(household, request_id)
    assert (household.named(), household.running()) == ("1.0.0", ("1.0.0", "running"))


@pytest.mark.parametrize("phase", CORE_PHASES)
def test_an_update_of_the_application_that_loses_power_is_undone(household: Household, phase: str):
    """1.0.0 answers again."""
    request_id = household.ask("core", "update", "1.1.0", f"core-cut-in-{phase}")
    household.await_phase(request_id, phase)
    cut_and_boot(household)
    expect_undone(household, request_id)
    assert household.core_link() == "1.0.0"
    until(lambda: household.core_answers() == "1.0.0", "core 1.0.0 to answer")


@pytest.mark.parametrize("phase", ["check", "restore", "verify-restored"])
def test_a_rollback_that_loses_power_ends(household: Household, phase: str):
    """An interrupted rollback is not tried again by itself: the answer is failed, and says that a person is needed."""
    assert household.settle("remote", "update", "1.1.0")["success"]
    request_id = household.ask("remote", "rollback", request_id=f"rollback-cut-in-{phase}")
    household.await_phase(request_id, phase)
    cut_and_boot(household)
    final = household.answer(request_id)
    assert (final["success"], final["state"], final["reason"]) == (False, "failed", "interrupted"), final
    assert household.settle("remote", "rollback")["success"]
    assert (household.named(), household.running()) == ("1.0.0", ("1.0.0", "running"))


def test_a_health_check_that_loses_power_runs_again(household: Household):
    """It changes nothing, so the answer is that of a second run."""
    request_id = household.ask("remote", "health", request_id="health-cut")
    household.await_phase(request_id, "check")
    cut_and_boot(household)
    final = household.answer(request_id)
    assert (final["success"], final["message"]) == (True, "Healthy")
