"""The image of the container side, built with packaging/remote/Dockerfile, in a real Docker engine."""

from __future__ import annotations

import pytest
from machine import CHECKOUT
from python_base import NAME

from tests.support.polling import wait_until

LARGEST_BYTES = 32_000_000  # added to the base: packages and byte code; measured: 25.7 MB
UNPRIVILEGED = ("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
MOUNTS = ("--tmpfs", "/tmp:size=16m,mode=1777", "--volume", "/root/token:/run/secrets/dunebugger-token:ro")
CONTEXT = "dist packaging protocol remote LICENSE README.md pyproject.toml requirements-remote.lock"
HOST_PACKAGES = (
    "coordinator policy fsm executors transitions sh rich pygments logging_journald hatchling pip setuptools"
)
FIND_PACKAGES = f"import importlib.util as i; print(*(n for n in '{HOST_PACKAGES}'.split() if i.find_spec(n)))"


@pytest.fixture
def engine(builder):
    """A machine with the image ``built`` and a token file."""
    builder.machine.write("/root/token", "token-of-the-system-tests\n")
    return builder.machine


@pytest.fixture
def served(engine):
    """An unprivileged container of the image, whose health check runs once a second."""
    engine.docker("run", "--detach", "--name", "served", "--health-interval", "1s", *UNPRIVILEGED, *MOUNTS, "built")
    yield "served"
    engine.docker("rm", "--force", "--volumes", "served")


def test_image_is_healthy_without_privileges(engine, served):
    """The container is healthy as user 10001, with a read-only root and without capabilities."""
    health = ("inspect", "--format", "{{.State.Health.Status}}", served)
    wait_until(lambda: engine.docker(*health) == "healthy", lambda: engine.docker("inspect", served))
    assert engine.docker("exec", served, "id", "-u") == "10001"
    assert engine.run("docker", "exec", served, "touch", "/x", check=False).returncode != 0
    assert "CapEff:\t0000000000000000" in engine.docker("exec", served, "cat", "/proc/1/status")


def test_image_exits_with_0_on_sigterm(engine, served):
    """The container exits on SIGTERM, so that Docker does not have to kill it."""
    wait_until(lambda: "ready on" in engine.run("docker", "logs", served).stderr, "serve to be ready")
    engine.docker("stop", "--time", "600", served)
    assert engine.docker("inspect", "--format", "{{.State.ExitCode}}", served) == "0"


def test_image_check_reports_a_missing_tmpfs(engine):
    """A read-only root without a tmpfs is a finding with a remedy."""
    done = engine.run("docker", "run", "--rm", *UNPRIVILEGED, "built", "check", check=False)
    assert "mount a tmpfs on /tmp" in done.stdout
    assert done.returncode == 1


def test_image_stays_below_its_size_limit(engine):
    """The image adds only its required packages to the base image."""
    base, built = (int(engine.docker("inspect", "--format", "{{.Size}}", name)) for name in (NAME, "built"))
    assert built - base < LARGEST_BYTES


def test_image_has_no_package_of_the_host_side(engine):
    """The image has neither packages of the coordinator nor build tools."""
    assert (
        engine.docker("run", "--rm", *UNPRIVILEGED, "--entrypoint", "python", "built", "-I", "-c", FIND_PACKAGES) == ""
    )


def test_image_does_not_start_without_a_token(engine):
    """The container exits with the cause, because without a token every client could update."""
    done = engine.run("docker", "run", "--rm", *UNPRIVILEGED, "built", check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("cannot read the access token from /run/secrets/dunebugger-token: No such file")


def test_image_build_requires_a_version(builder):
    """Without a version the build fails, because the page would show a wrong version."""
    done = builder.build("--tag", "without", check=False)
    assert done.returncode != 0
    assert "VERSION is not set; pass --build-arg VERSION=1.2.3" in done.stdout + done.stderr
    assert builder.machine.docker("images", "--quiet", "without") == ""


def test_build_context_has_only_the_required_files(builder):
    """The context has no Git history, environment, tests or wheels of the host side."""
    builder.build("--tag", "context", text=f"FROM {NAME}\nCOPY . /context\n")
    listed = builder.machine.docker(
        "run", "--rm", *UNPRIVILEGED, "context", "sh", "-c", "cd /context; ls -A . dist packaging"
    )
    assert set(listed.split()) == {*CONTEXT.split(), ".:", "dist:", "packaging:", "remote-wheelhouse"}


def test_image_build_works_without_a_wheel_folder(builder):
    """Without dist/remote-wheelhouse the COPY succeeds, and pip uses the index."""
    builder.machine.run("sh", "-euc", f"mkdir /root/bare; cp {CHECKOUT}/requirements-remote.lock /root/bare")
    done = builder.build("--build-arg", "VERSION=1.0.0", context="/root/bare", check=False)
    assert "No matching distribution found" in done.stdout + done.stderr
