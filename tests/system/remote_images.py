"""The real image of the container side, built from the checkout without network, once per session."""

from __future__ import annotations

import pytest
from machine import CHECKOUT, Machine
from python_base import NAME, import_base

REAL_REMOTE = "real/remote"  # beside the small images of dunebugger/remote
DOCKERFILE = f"{CHECKOUT}/packaging/remote/Dockerfile"
_BUILD_ARGUMENTS = ("--build-arg", f"BASE={NAME}", "--build-arg", "PIP_NO_INDEX=1")
# Fails at start, because its configuration does not exist.
_BROKEN = 'FROM {image}\nENV DUNEBUGGER_REMOTE_VERSION={version}\nCMD ["serve", "--config", "/nowhere"]\n'


class ImageBuilder:
    """Builds images on a machine that has the base image."""

    def __init__(self, machine: Machine) -> None:
        """Use a running machine."""
        self.machine = machine
        import_base(machine)

    def build(self, *options: str, context: str = CHECKOUT, text: str = "", **more):
        """Run ``docker build`` without network, with ``text`` instead of the Dockerfile if given."""
        file = "-" if text else DOCKERFILE
        command = ("docker", "build", "--network", "none", "--file", file, *_BUILD_ARGUMENTS, *options, context)
        return self.machine.run(*command, input=text, **{"timeout": 280, **more})

    def release(self, name: str, version: str) -> None:
        """Build the image of a version as ``name``."""
        self.build("--build-arg", f"VERSION={version}", "--tag", name)


@pytest.fixture(scope="session")
def builder(make_machine, remote_wheelhouse):
    """A builder whose machine has the image of release 1.0.0 as ``built``."""
    machine = make_machine()
    try:
        machine.boot()
        made = ImageBuilder(machine)
        made.release("built", "1.0.0")
        yield made
    finally:
        machine.close()


@pytest.fixture(scope="session")
def real_images(builder, registry):
    """Releases 1.0.0 and 1.1.0 of ``REAL_REMOTE`` in the registry, and 1.2.0, which does not start."""
    for version in ("1.0.0", "1.1.0"):
        builder.release(registry.name(REAL_REMOTE, version), version)
    broken = _BROKEN.format(image="built", version="1.2.0")
    builder.build("--tag", registry.name(REAL_REMOTE, "1.2.0"), text=broken)
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        builder.machine.docker("push", "--quiet", registry.name(REAL_REMOTE, version))
