"""``python -m remote.healthcheck``: the image's health check; exits 0 when ``serve`` answers in the same container.

It runs every few seconds on a small computer, so it imports neither click, pydantic nor an HTTP client.
"""

from __future__ import annotations

import socket
import sys
import tomllib
from pathlib import Path

_CONFIGURATION = Path("/etc/dunebugger/remote.toml")
_PORT = 8080
_ANSWER_S = 4


def main(configuration: Path) -> str | None:
    """Request ``/healthz``; None when it answers, else what is wrong."""
    try:
        server = tomllib.loads(configuration.read_text(encoding="utf-8")).get("server", {})
    except FileNotFoundError:
        server = {}
    host, port = server.get("host", "127.0.0.1"), server.get("port", _PORT)
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared with, not listened on
    try:
        with socket.create_connection((address, port), _ANSWER_S) as connection:
            connection.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = connection.recv(64)
    except OSError as error:
        return f"no answer on {address}:{port}: {error}"
    return None if answer.split()[1:2] == [b"200"] else f"{address}:{port} answers {answer!r}"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else _CONFIGURATION))
