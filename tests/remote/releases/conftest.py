"""A fake GitHub server, and clients of it."""

from __future__ import annotations

import pytest
from github_server import GitHubServer
from release_fixture import COMPONENTS, ReleaseFixture


@pytest.fixture
def server():
    """A server without repositories."""
    with GitHubServer() as made:
        yield made


@pytest.fixture
def fixture(server, tmp_path):
    """Clients and catalogues of the server, with a manual clock."""
    return ReleaseFixture(server, tmp_path)


@pytest.fixture
def published(server, fixture):
    """Publish one release of each component; the server uses the manual clock."""
    server.now = lambda: fixture.clock.utc().timestamp()
    for name in COMPONENTS:
        server.publish(f"owner/{name}", "1.0.0", notes=f"notes of {name}")
