"""Fixtures for hosts that are provisioned once per session and copied for each module."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from images import Image, publish
from provisioned_host import SCHEDULER, ProvisionedHost

from tests.support.free_port import free_port
from tests.support.polling import wait_until

sys.path.append(str(Path(__file__).parents[1] / "components"))

from artifact_server import ArtifactServer

CORE_RELEASES = {"1.0.0": "healthy", "1.1.0": "healthy", "1.2.0": "exits", "1.3.0": "unhealthy"}


@pytest.fixture(scope="session")
def core_port():
    """A free port for core, because the machines share one network and tests may run in parallel."""
    return free_port()


@pytest.fixture(scope="session")
def releases(requirements, core_port):
    """A server with two working and two broken releases of core, and one with a wrong digest."""
    made = ArtifactServer()
    for version, kind in CORE_RELEASES.items():
        made.publish(version, core_port, kind=kind)
    made.publish("1.4.0", core_port, digest="wrong")
    yield made
    made.close()


@pytest.fixture(scope="session")
def provisioned_disk(make_machine, registry, releases, wheelhouse, core_port):
    """The disk of a host whose three components run release 1.0.0."""
    machine = make_machine()
    try:
        machine.boot()
        publish(machine, registry, SCHEDULER, {"1.0.0": Image(), "1.1.0": Image()})
        ProvisionedHost(machine, registry, core_port).provision(releases.api)
        machine.shut_down()
        machine.disk.unmount()
        yield machine.disk
    finally:
        machine.close()


@pytest.fixture(scope="module")
def module_host(make_machine, provisioned_disk, registry, core_port):
    """A provisioned host shared by the tests of a module."""
    machine = make_machine(stock=provisioned_disk)
    yield ProvisionedHost(machine, registry, core_port)
    machine.close()


@pytest.fixture
def host(module_host, registry):
    """A running provisioned host; its components have the state of the end of the previous test."""
    registry.proxy.open()
    if not module_host.machine.is_on():
        module_host.machine.boot()
    module_host.wait_for_service()
    wait_until(lambda: module_host.running_version()[1] == "running", "the container of remote to run")
    return module_host
