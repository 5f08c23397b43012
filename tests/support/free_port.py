"""Ports for servers that start later, or again."""

from __future__ import annotations

import itertools
import os
import random
import socket
from contextlib import suppress

# Below those that the system gives to whoever asks for any port, or connects: such a one may be gone when its server
# starts, and who connects to one again and again while no server runs connects to itself one day.
_FIRST, _EACH = 16384, 1024
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % ((32768 - _FIRST) // _EACH)
_BEGIN = _FIRST + _WORKER * _EACH
_PORTS = itertools.cycle(random.sample(range(_BEGIN, _BEGIN + _EACH), _EACH))


def free_port() -> int:
    """A port of loopback that nobody uses just now, and that no test beside this one is given."""
    return next(filter(_is_free, _PORTS))


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False
