"""What the tests of lost and troubled lines share."""

import pytest

from remote.health.nats_connection import Line


@pytest.fixture
def tries(monkeypatch):
    """How often a connection was tried."""
    made = []
    really = Line.open

    async def count(line):
        made.append(line)
        await really(line)

    monkeypatch.setattr(Line, "open", count)
    return made
