"""Fixtures for the tests of NATS outages and failures."""

import pytest

from remote.health.nats_connection import NatsConnection


@pytest.fixture
def attempts(monkeypatch):
    """The connections that were opened, or attempted."""
    made = []
    original = NatsConnection.open

    async def counted(connection):
        made.append(connection)
        await original(connection)

    monkeypatch.setattr(NatsConnection, "open", counted)
    return made
