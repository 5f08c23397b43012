"""Fixtures of the container script tests: a Docker engine and a registry on the outer machine."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from compose import Compose
from container_host import ContainerHost
from docker_services import Engine, LocalRegistry, compile_program

from tests.support.polling import wait_until


@pytest.fixture(scope="session")
def docker_services():
    """A Docker engine, and a registry with all VERSIONS of ``remote`` and ``scheduler``."""
    folder = Path(tempfile.mkdtemp(prefix="scripts-"))  # short, because the length of a socket's path is limited
    program = compile_program(folder / "program")
    registry = LocalRegistry(folder / "registry")
    engine = Engine(folder / "engine")
    engine.program = program
    for name in ("remote", "scheduler"):
        engine.publish(registry, name, program)
    yield engine, registry
    for container in engine.out("ps", "-aq").split():
        engine.run("rm", "-f", container)
    engine.stop()
    registry.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def compose(request):
    """The plugin, as on most hosts; ``each_compose`` adds version 1."""
    return getattr(request, "param", Compose.plugin)()


@pytest.fixture
def host(docker_services, compose, tmp_path):
    """A host on which ``remote`` and ``scheduler`` 1.0.0 are running and healthy."""
    folder = Path(tempfile.mkdtemp(prefix="host", dir=tmp_path))
    made = ContainerHost(folder, *docker_services, compose)
    made.compose("up", "-d")
    for service in ("remote", "scheduler"):
        wait_until(lambda service=service: made.health_of(service) == "healthy", f"{service} to be healthy")
    yield made
    made.compose("down", "-t", "1")
    engine = docker_services[0]
    for image in engine.out("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split():
        engine.run("image", "rm", "-f", image, check=False)
