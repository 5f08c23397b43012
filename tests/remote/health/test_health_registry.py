"""Health registry."""

import pytest

from remote.health.health_registry import HealthRegistry, HealthSource, HealthStatus
from tests.support.manual_clock import START, ManualClock


def test_registry_reports_unknown_health_at_first():
    """Without a record, the health of a component is unknown."""
    assert HealthRegistry(["core"], None, ManualClock()).of("core") == HealthStatus(running=None, at=None, how=None)


def test_registry_returns_the_latest_record():
    """The status has value, time and source of the latest record."""
    clock = ManualClock()
    registry = HealthRegistry(["core", "scheduler"], "remote", clock)
    registry.record("core", True, HealthSource.UPDATE)
    clock.sleep(60)
    registry.record("core", False, HealthSource.HEALTH_CHECK)
    assert registry.of("core").running is False
    assert (registry.of("core").at - START).total_seconds() == 60
    assert registry.of("core").how is HealthSource.HEALTH_CHECK
    assert registry.of("scheduler").running is None


@pytest.mark.parametrize("before", [True, False, None])
@pytest.mark.parametrize("after", [True, False, None])
def test_record_returns_whether_running_changed(before, after):
    """A change of the source alone is not a change."""
    registry = HealthRegistry(["core"], None, ManualClock())
    registry.record("core", before, HealthSource.HEARTBEAT)
    assert registry.record("core", after, HealthSource.HEALTH_CHECK) is (before is not after)


def test_registry_always_reports_its_own_component_as_running():
    """Records for the component of this program are ignored."""
    registry = HealthRegistry(["core", "remote"], "remote", ManualClock())
    assert registry.of("remote") == HealthStatus(running=True, at=START, how=HealthSource.ITSELF)
    assert registry.record("remote", False, HealthSource.HEARTBEAT) is False
    assert registry.of("remote") == HealthStatus(running=True, at=START, how=HealthSource.ITSELF)
