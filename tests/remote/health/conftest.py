"""Fixtures for the tests of NATS outages and failures."""

import pytest

from remote.health.nats_connection import NatsConnection


@pytest.fixture
def attempts(monkeypatch):
    """The connections that the monitor opened or tried to open."""
    connections = []
    original = NatsConnection.open

    async def counted(connection):
        connections.append(connection)
        await original(connection)

    monkeypatch.setattr(NatsConnection, "open", counted)
    return connections
