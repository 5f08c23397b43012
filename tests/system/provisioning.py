"""Households for the tests: furnished once per session, a copy for each module."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from free_port import free_port
from images import Image, publish
from polling import until
from provisioned_host import SCHEDULER, Household

sys.path.append(str(Path(__file__).parents[1] / "components"))

from artifact_server import ReleaseServer

CORE_RELEASES = {"1.0.0": "well", "1.1.0": "well", "1.2.0": "exits", "1.3.0": "ill"}


@pytest.fixture(scope="session")
def core_port():
    """Where core answers: the machines share one network, and tests may run beside each other."""
    return free_port()


@pytest.fixture(scope="session")
def releases(needed, core_port):
    """A server that publishes releases of core, two good and two bad ones, and one that was tampered with."""
    made = ReleaseServer()
    for version, kind in CORE_RELEASES.items():
        made.publish(version, core_port, kind=kind)
    made.publish("1.4.0", core_port, digest="wrong")
    yield made
    made.close()


@pytest.fixture(scope="session")
def furnished(make_machine, registry, releases, wheelhouse, core_port):
    """The disk of a household whose three components run release 1.0.0."""
    machine = make_machine()
    try:
        machine.boot()
        publish(machine, registry, SCHEDULER, {"1.0.0": Image(), "1.1.0": Image()})
        Household(machine, registry, core_port).furnish(releases.api)
        machine.shut_down()
        machine.disk.unmount()
        yield machine.disk
    finally:
        machine.close()


@pytest.fixture(scope="module")
def module_household(make_machine, furnished, registry, core_port):
    """The one household of a module's tests."""
    machine = make_machine(stock=furnished)
    yield Household(machine, registry, core_port)
    machine.close()


@pytest.fixture
def household(module_household, registry):
    """A household that is on, with all of its components as they were left."""
    registry.line.open()
    if not module_household.machine.is_on():
        module_household.machine.boot()
    module_household.await_service()
    until(lambda: module_household.running()[1] == "running", "the container of remote to run")
    return module_household
