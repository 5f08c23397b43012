"""Fixtures: a host with a coordinator, a release server, and the container side between them."""

from __future__ import annotations

import pytest
from github_server import GitHubServer
from nats_server import NatsServer
from remote_server import RemoteServer, installation

from tests.support.real_host import Host


@pytest.fixture
def host(tmp_path):
    """A host whose coordinator is not running."""
    root = tmp_path / "host"
    root.mkdir()
    made = Host(root)
    yield made
    made.close()


@pytest.fixture
def github():
    """A release server on loopback."""
    with GitHubServer() as server:
        yield server


@pytest.fixture
def serving(tmp_path, host, github):
    """The container side with the components ``core`` and ``scheduler``, configured but not started."""
    made = RemoteServer(tmp_path / "remote", host, github)
    yield made
    made.close()


@pytest.fixture(scope="module")
def module_server(tmp_path_factory):
    """A running server, shared by the tests of a module; no coordinator is running, and the releases are known."""
    with installation(tmp_path_factory.mktemp("host")) as serving:
        serving.github.publish("owner/core", "1.1.0")
        serving.github.publish("owner/scheduler", "1.0.0")
        serving.start()
        yield serving


@pytest.fixture
def shared_server(module_server):
    """The server of the module; its clients are disconnected after each test."""
    yield module_server
    module_server.disconnect_clients()


@pytest.fixture
def nats(tmp_path):
    """A running NATS server without a token."""
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.close()
