"""Free ports for servers that start later or restart."""

from __future__ import annotations

import itertools
import os
import random
import socket
from contextlib import suppress

# Below the ephemeral range: an ephemeral port may be taken when its server starts, and a client that keeps connecting
# to one without a server eventually connects to itself.
_FIRST, _EACH = 16384, 1024
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % ((32768 - _FIRST) // _EACH)
_BEGIN = _FIRST + _WORKER * _EACH
_PORTS = itertools.cycle(random.sample(range(_BEGIN, _BEGIN + _EACH), _EACH))


def free_port() -> int:
    """A free loopback port that is not given to another test worker."""
    return next(filter(_is_free, _PORTS))


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False
