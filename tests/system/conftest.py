"""Machines for the tests: prepared once per session, booted in about a second each."""

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
# Begun first, in this order: each file has one worker, and the last one must not keep all others waiting.
_LONGEST = ("test_upgrade.py", "test_containers.py", "test_install.py", "test_page.py", "test_reboots.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first; all else keeps its order."""
    order = {name: number for number, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


def missing_packages() -> list[str]:
    """The Debian packages of all that packages.txt names and that is not here."""
    text = Path(__file__).with_name("packages.txt").read_text(encoding="utf-8")
    needed = [line.split() for line in text.splitlines() if not line.startswith("#")]
    path = os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin"
    return sorted(
        {
            package
            for name, package in needed
            if not (any(Path("/").glob(name[1:])) if name[0] == "/" else shutil.which(name, path=path))
        }
    )


@pytest.fixture(scope="session", autouse=True)
def needed():
    """Fail, rather than skip, where a system test cannot be run: who asks for these tests wants to know the answer."""
    why = []
    if os.geteuid() != 0:
        why.append("they boot machines: run them as root")
    if missing := missing_packages():
        why.append(f"programs are missing: apt-get install --no-install-recommends {' '.join(missing)}")
    if why:
        pytest.fail(f"cannot run the system tests; {'; '.join(why)}", pytrace=False)
    unshare_mounts()


@pytest.fixture(scope="session")
def registry(needed, tmp_path_factory):
    """A registry that holds the releases of ``images.RELEASES`` as ``dunebugger/remote``."""
    made = ImageRegistry(tmp_path_factory.mktemp("registry"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def stock(registry, tmp_path_factory):
    """The disk of a host that runs release 1.0.0: what every machine begins with."""
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
def wheelhouse(needed):
    """The packages that an installation without network needs, in the checkout's dist/wheelhouse; made once."""
    _download("wheelhouse", "requirements.lock")


@pytest.fixture(scope="session")
def remote_wheelhouse(needed):
    """The same for the image of the container side, in dist/remote-wheelhouse."""
    _download("remote-wheelhouse", "requirements-remote.lock")


def _download(target: str, lock_file: str) -> None:
    """Have make fill a folder of dist/, for the machines' Python: the environment's may be another."""
    made = REPOSITORY / "dist" / target
    made.parent.mkdir(exist_ok=True)
    with (made.parent / f".{target}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run beside each other
        if not made.exists() or made.stat().st_mtime < (REPOSITORY / lock_file).stat().st_mtime:
            wanted = f"WHEELHOUSE_ARGS=--python-version {python_version()}"
            subprocess.run(["make", "--silent", target, wanted], cwd=REPOSITORY, check=True)


@pytest.fixture(scope="session")
def make_machine(stock, tmp_path_factory, request):
    """Makes machines, powered off; who made one closes it. The options are those of ``Machine``."""
    made = request.config.stash.setdefault(_MACHINES, [])

    def make(stock: Disk = stock, **options) -> Machine:
        binds = {REPOSITORY: CHECKOUT} | options.pop("binds", {})
        made.append(Machine(tmp_path_factory.mktemp("machine"), stock, binds, **options))
        return made[-1]

    return make


@pytest.fixture
def new_machine(make_machine):
    """Makes machines of a test's own, powered off; they are closed after it."""
    made = []

    def make(**options) -> Machine:
        made.append(make_machine(**options))
        return made[-1]

    yield make
    for machine in made:
        machine.close()


@pytest.fixture(scope="module")
def module_machine(make_machine):
    """The one machine of a module's tests."""
    made = make_machine()
    yield made
    made.close()


@pytest.fixture
def machine(module_machine, registry):
    """A machine that is on. The tests of a module share it, and each leaves it as the next may find it."""
    registry.proxy.open()
    if not module_machine.is_on():
        module_machine.boot()
    return module_machine


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Let a failed test tell what the machines told."""
    report = yield
    if report.failed:
        for machine in item.config.stash.get(_MACHINES, []):
            if machine.exists():
                report.sections.append((f"what {machine.name} told", machine.diagnostics()))
    return report
