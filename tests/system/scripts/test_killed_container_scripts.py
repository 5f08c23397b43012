"""A container's update killed at every phase, and its rollback too: the next rollback brings back what was there (I8)."""

from __future__ import annotations

import pytest

PHASES = ["check", "pull", "backup", "set-image", "start", "verify"]


def variables(request, of=""):
    """What the coordinator sets."""
    return {"UPDATE_REQUEST_ID": request, "UPDATE_ROLLBACK_OF": of or request}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("after_s", [0, 0.15, 0.5, 1.2, 2.0])
def test_a_killed_update_is_undone(host, phase, after_s):
    """SIGKILL to all that the script started, some time after each phase began."""
    before = host.sight()
    host.killed("update.sh", ["1.1.0"], variables("one"), phase=phase, after_s=after_s)
    back = host.rollback("one")
    assert back.returncode == 0, back.stdout + back.stderr
    assert host.sight() == before
    assert host.health().returncode == 0


@pytest.mark.parametrize("phase", ["restore", "verify-restored"])
@pytest.mark.parametrize("after_s", [0, 0.5, 1.2, 2.0])
def test_a_killed_rollback_is_done_again(host, phase, after_s):
    """The second rollback ends what the first began."""
    before = host.sight()
    assert host.update("1.1.0", request="one").returncode == 0
    host.killed("rollback.sh", [], variables("two", "one"), phase=phase, after_s=after_s)
    back = host.rollback("one")
    assert back.returncode == 0, back.stdout + back.stderr
    assert host.sight() == before


@pytest.mark.parametrize("phase", PHASES[2:])
def test_a_killed_update_may_run_again(host, phase):
    """With on_interruption = "rerun": the second run ends it, and a rollback still knows what was there before the first."""
    before = host.sight()
    host.killed("update.sh", ["1.1.0"], variables("one"), phase=phase, after_s=0.5)
    again = host.update("1.1.0", request="one")
    assert again.returncode == 0, again.stdout + again.stderr
    assert [one[1].rpartition(":")[2] for one in host.containers()] == ["1.1.0"]
    assert host.rollback("one").returncode == 0
    assert host.sight() == before
