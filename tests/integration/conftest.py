"""Fixtures of the integration tests: hosts and small disks."""

from __future__ import annotations

import pytest

from tests.support.real_host import Host
from tests.support.small_disk import SmallDisk


@pytest.fixture
def host(tmp_path):
    """A host for this test; all of its processes end with the test."""
    made = Host(tmp_path)
    yield made
    made.close()


@pytest.fixture
def small_disk(host):
    """A function that mounts a small disk on a directory of ``host``; the host is closed before the disks."""
    mounted = []

    def mount(folder, **options):
        mounted.append(SmallDisk(folder, **options))
        return mounted[-1]

    yield mount
    host.close()
    for disk in reversed(mounted):
        disk.unmount()


@pytest.fixture(scope="module")
def busy_host(tmp_path_factory):
    """A running coordinator with one component, ``core``, shared by many small tests."""
    made = Host(tmp_path_factory.mktemp("host"))
    made.component("core")
    made.start()
    yield made
    made.close()
