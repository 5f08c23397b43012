"""A container's update or rollback is killed in every phase: the next rollback restores the previous state (I8)."""

from __future__ import annotations

import pytest
from compose import Compose, each_compose

# Phases, and delays of the kill in seconds. Compose needs one or two seconds in "start", version 1 more than the
# plugin; the other phases do not depend on the compose version.
INSTANTS = [("check", 0), ("pull", 0), ("pull", 0.2), ("backup", 0), ("backup", 0.05)]
INSTANTS += [("set-image", 0), ("set-image", 0.15), ("verify", 0), ("verify", 1)]
CASES = [(Compose.plugin, *instant) for instant in INSTANTS]
CASES += [(Compose.plugin, "start", after_s) for after_s in (0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2)]
CASES += [(Compose.version_1, "start", after_s) for after_s in (0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.5)]


def variables(request, of=""):
    """The variables that the coordinator sets."""
    return {"UPDATE_REQUEST_ID": request, "UPDATE_ROLLBACK_OF": of or request}


@pytest.mark.parametrize(("compose", "phase", "after_s"), CASES, indirect=["compose"])
def test_killed_container_update_is_undone_by_a_rollback(host, phase, after_s):
    """The script's process group receives SIGKILL at a given time in each phase, and a rollback restores the state."""
    before = host.snapshot()
    host.kill_in_phase("update.sh", ["1.1.0"], variables("one"), phase=phase, after_s=after_s)
    back = host.rollback("one")
    assert back.returncode == 0, back.stdout + back.stderr
    assert host.snapshot() == before
    assert host.health().returncode == 0


@pytest.mark.parametrize("phase", ["restore", "verify-restored"])
@pytest.mark.parametrize("after_s", [0, 0.5, 1.2, 2.0])
def test_killed_container_rollback_can_be_repeated(host, phase, after_s):
    """The second rollback completes the first."""
    before = host.snapshot()
    assert host.update("1.1.0", request="one").returncode == 0
    host.kill_in_phase("rollback.sh", [], variables("two", "one"), phase=phase, after_s=after_s)
    back = host.rollback("one")
    assert back.returncode == 0, back.stdout + back.stderr
    assert host.snapshot() == before


@pytest.mark.parametrize("phase", ["backup", "set-image", "start", "verify"])
def test_killed_container_update_can_be_rerun(host, phase):
    """With on_interruption = "rerun" the second run succeeds; a rollback restores the state before the first run."""
    before = host.snapshot()
    host.kill_in_phase("update.sh", ["1.1.0"], variables("one"), phase=phase, after_s=0.5)
    again = host.update("1.1.0", request="one")
    assert again.returncode == 0, again.stdout + again.stderr
    assert [one[1].rpartition(":")[2] for one in host.containers()] == ["1.1.0"]
    assert host.rollback("one").returncode == 0
    assert host.snapshot() == before


@each_compose
@pytest.mark.parametrize("has_new_container", [False, True])
def test_rollback_removes_a_partly_replaced_container(host, has_new_container):
    """If compose is killed after it renamed the old container, or created the new one, only the old one remains."""
    before = host.snapshot()
    host.kill_in_phase("update.sh", ["1.1.0"], variables("one"), phase="start", after_s=0)
    [(name, *_)] = host.containers()
    if has_new_container:
        host.compose("up", "-d", "--no-recreate", "--scale", "remote=2", "remote")
        assert len(host.containers()) == 2
    host.engine.run("stop", name)
    host.engine.run("rename", name, f"0123456789ab_{name.lstrip('/')}")
    back = host.rollback("one")
    assert back.returncode == 0, back.stdout + back.stderr
    assert host.snapshot() == before
