"""A server of releases, and who asks it."""

from __future__ import annotations

import pytest
from github_server import GitHubServer
from release_fixture import COMPONENTS, Stage


@pytest.fixture
def server():
    """A server that has published nothing yet."""
    with GitHubServer() as made:
        yield made


@pytest.fixture
def stage(server, tmp_path):
    """Everything around the code under test."""
    return Stage(server, tmp_path)


@pytest.fixture
def published(server, stage):
    """A release of each component; the server's clock goes with ours."""
    server.now = lambda: stage.clock.utc().timestamp()
    for name in COMPONENTS:
        server.publish(f"owner/{name}", "1.0.0", notes=f"notes of {name}")
