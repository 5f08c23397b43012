"""What the tests of the container side share: helpers of other folders, and a NATS server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "protocol"))  # hand_clock

from nats_server import NatsServer


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    """A NATS server that runs and asks for no token."""
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.close()
