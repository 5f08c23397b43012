"""Fixtures for machines: their disk is prepared once per session, and each boots in about a second."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from disk import Disk, unshare_mounts
from image_registry import ImageRegistry
from images import RELEASES, REMOTE, publish
from machine import CHECKOUT, REPOSITORY, Machine
from python_base import python_version

pytest_plugins = ("provisioning", "remote_images")
_MACHINES = pytest.StashKey[list[Machine]]()
# The longest files start first, in this order: each file has one worker, and a long file must not start last.
_LONGEST = ("test_upgrade.py", "test_containers.py", "test_install.py", "test_page.py", "test_reboots.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest files first; the others keep their order."""
    order = {name: number for number, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


def missing_packages() -> list[str]:
    """The Debian packages of packages.txt that are not installed."""
    text = Path(__file__).with_name("packages.txt").read_text(encoding="utf-8")
    required = [line.split() for line in text.splitlines() if not line.startswith("#")]
    path = os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin"
    return sorted(
        {
            package
            for name, package in required
            if not (any(Path("/").glob(name[1:])) if name[0] == "/" else shutil.which(name, path=path))
        }
    )


@pytest.fixture(scope="session", autouse=True)
def requirements():
    """Fail instead of skip when the system tests cannot run: they run only on request."""
    problems = []
    if os.geteuid() != 0:
        problems.append("they boot machines, which requires root")
    if missing := missing_packages():
        problems.append(f"programs are missing: apt-get install --no-install-recommends {' '.join(missing)}")
    if problems:
        pytest.fail(f"cannot run the system tests; {'; '.join(problems)}", pytrace=False)
    unshare_mounts()


@pytest.fixture(scope="session")
def registry(requirements, tmp_path_factory):
    """A registry with the releases of ``images.RELEASES`` as ``dunebugger/remote``."""
    made = ImageRegistry(tmp_path_factory.mktemp("registry"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def base_disk(registry, tmp_path_factory):
    """The disk that other machines copy: release 1.0.0 of remote is pulled."""
    made = Machine(tmp_path_factory.mktemp("stock"))
    try:
        made.boot()
        publish(made, registry, REMOTE, RELEASES)
        made.docker("pull", "--quiet", registry.name(REMOTE, "1.0.0"))
        made.shut_down()
        made.disk.unmount()
        yield made.disk
    finally:
        made.close()


@pytest.fixture(scope="session")
def wheelhouse(requirements):
    """Fill the checkout's dist/wheelhouse for installations without network, once."""
    _download("wheelhouse", "requirements.lock")


@pytest.fixture(scope="session")
def remote_wheelhouse(requirements):
    """Fill dist/remote-wheelhouse for the image of the container side, once."""
    _download("remote-wheelhouse", "requirements-remote.lock")


def _download(target: str, lock_file: str) -> None:
    """Run make to fill a folder of dist/ for the machines' Python, whose version may differ from the test runner's."""
    folder = REPOSITORY / "dist" / target
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f".{target}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run in parallel
        if not folder.exists() or folder.stat().st_mtime < (REPOSITORY / lock_file).stat().st_mtime:
            arguments = f"WHEELHOUSE_ARGS=--python-version {python_version()}"
            subprocess.run(["make", "--silent", target, arguments], cwd=REPOSITORY, check=True)


@pytest.fixture(scope="session")
def make_machine(base_disk, tmp_path_factory, request):
    """Factory of machines, powered off; the caller closes them. The options are those of ``Machine``."""
    machines = request.config.stash.setdefault(_MACHINES, [])

    def make(stock: Disk = base_disk, **options) -> Machine:
        binds = {REPOSITORY: CHECKOUT} | options.pop("binds", {})
        machines.append(Machine(tmp_path_factory.mktemp("machine"), stock, binds, **options))
        return machines[-1]

    return make


@pytest.fixture
def new_machine(make_machine):
    """Factory of machines for one test, powered off; they are closed after the test."""
    machines = []

    def make(**options) -> Machine:
        machines.append(make_machine(**options))
        return machines[-1]

    yield make
    for machine in machines:
        machine.close()


@pytest.fixture(scope="module")
def module_machine(make_machine):
    """A machine shared by the tests of a module."""
    made = make_machine()
    yield made
    made.close()


@pytest.fixture
def machine(module_machine, registry):
    """A running machine, shared by the tests of a module; each test removes what it adds."""
    registry.proxy.open()
    if not module_machine.is_on():
        module_machine.boot()
    return module_machine


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Add the diagnostics of all machines to the report of a failed test."""
    report = yield
    if report.failed:
        for machine in item.config.stash.get(_MACHINES, []):
            if machine.exists():
                report.sections.append((f"diagnostics of {machine.name}", machine.diagnostics()))
    return report
