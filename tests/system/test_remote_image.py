"""The image of the container side, as packaging/remote/Dockerfile makes it, in a real engine."""

from __future__ import annotations

import pytest
from machine import CHECKOUT
from polling import wait_until
from python_base import NAME

LARGEST_BYTES = 32_000_000  # added to the base: packages and byte code; measured: 25.7 MB
BARE = ("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
NEEDED = ("--tmpfs", "/tmp:size=16m,mode=1777", "--volume", "/root/token:/run/secrets/dunebugger-token:ro")
CONTEXT = "dist packaging protocol remote LICENSE README.md pyproject.toml requirements-remote.lock"
HOST_ONLY = "coordinator policy fsm executors transitions sh rich pygments logging_journald hatchling pip setuptools"
FIND = f"import importlib.util as i; print(*(n for n in '{HOST_ONLY}'.split() if i.find_spec(n)))"


@pytest.fixture
def engine(builder):
    """A machine with the image ``built`` and a token file."""
    builder.machine.write("/root/token", "token-of-the-system-tests\n")
    return builder.machine


@pytest.fixture
def served(engine):
    """An unprivileged container of the image, with its health check once a second."""
    engine.docker("run", "--detach", "--name", "served", "--health-interval", "1s", *BARE, *NEEDED, "built")
    yield "served"
    engine.docker("rm", "--force", "--volumes", "served")


def test_image_is_healthy_without_privileges(engine, served):
    """As user 10001, with a read-only root and no capability, it serves and is healthy."""
    health = ("inspect", "--format", "{{.State.Health.Status}}", served)
    wait_until(lambda: engine.docker(*health) == "healthy", lambda: engine.docker("inspect", served))
    assert engine.docker("exec", served, "id", "-u") == "10001"
    assert engine.run("docker", "exec", served, "touch", "/x", check=False).returncode != 0
    assert "CapEff:\t0000000000000000" in engine.docker("exec", served, "cat", "/proc/1/status")


def test_image_exits_with_0_on_sigterm(engine, served):
    """SIGTERM ends it with 0: Docker does not have to kill it."""
    wait_until(lambda: "ready on" in engine.run("docker", "logs", served).stderr, "serve to be ready")
    engine.docker("stop", "--time", "600", served)
    assert engine.docker("inspect", "--format", "{{.State.ExitCode}}", served) == "0"


def test_image_check_reports_a_missing_tmpfs(engine):
    """A read-only root without a tmpfs is a finding with a remedy."""
    done = engine.run("docker", "run", "--rm", *BARE, "built", "check", check=False)
    assert "mount a tmpfs on /tmp" in done.stdout
    assert done.returncode == 1


def test_image_stays_below_its_size_limit(engine):
    """The image adds only what it runs to its base."""
    base, built = (int(engine.docker("inspect", "--format", "{{.Size}}", name)) for name in (NAME, "built"))
    assert built - base < LARGEST_BYTES


def test_image_has_no_package_of_the_host_side(engine):
    """Neither packages of the coordinator, nor build tools."""
    assert engine.docker("run", "--rm", *BARE, "--entrypoint", "python", "built", "-I", "-c", FIND) == ""


def test_image_does_not_start_without_a_token(engine):
    """Without a token everybody could update: it exits with the cause."""
    done = engine.run("docker", "run", "--rm", *BARE, "built", check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("cannot read the access token from /run/secrets/dunebugger-token: No such file")


def test_image_build_needs_a_version(builder):
    """Without a version no image is built, because the page would show a wrong one."""
    done = builder.build("--tag", "without", check=False)
    assert done.returncode != 0
    assert "VERSION is not set; pass --build-arg VERSION=1.2.3" in done.stdout + done.stderr
    assert builder.machine.docker("images", "--quiet", "without") == ""


def test_build_context_has_only_what_the_image_needs(builder):
    """The context has no history, environment, test or wheel of the host side."""
    builder.build("--tag", "context", text=f"FROM {NAME}\nCOPY . /context\n")
    listed = builder.machine.docker("run", "--rm", *BARE, "context", "sh", "-c", "cd /context; ls -A . dist packaging")
    assert set(listed.split()) == {*CONTEXT.split(), ".:", "dist:", "packaging:", "remote-wheelhouse"}


def test_image_build_works_without_a_wheel_folder(builder):
    """Without dist/remote-wheelhouse the COPY succeeds, and pip uses the index."""
    builder.machine.run("sh", "-euc", f"mkdir /root/bare; cp {CHECKOUT}/requirements-remote.lock /root/bare")
    done = builder.build("--build-arg", "VERSION=1.0.0", context="/root/bare", check=False)
    assert "No matching distribution found" in done.stdout + done.stderr
