"""Release server on loopback for demo and benchmarks: the release endpoint of GitHub's REST API."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT = "demo"


@dataclass(frozen=True)
class Published:
    """A published release."""

    version: str
    notes: str


class ReleaseServer:
    """Context manager that serves releases.

    Args:
        releases: by repository, newest first.
    """

    def __init__(self, releases: Mapping[str, list[Published]]) -> None:
        answered = self.answered = Counter[int]()  # by HTTP status
        pages = {f"/repos/{ACCOUNT}/{name}/releases": _page(name, listed) for name, listed in releases.items()}

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """Return the releases of a repository."""
                page = pages.get(self.path.partition("?")[0])
                body = b"{}" if page is None else page
                tag = f'"{hashlib.sha256(body).hexdigest()}"'
                status = 404 if page is None else 304 if self.headers["If-None-Match"] == tag else 200
                answered[status] += 1
                self.send_response(status)
                self.send_header("ETag", tag)
                self.send_header("Cache-Control", "private, max-age=60, s-maxage=60")
                if status != 304:  # noqa: PLR2004  a 304 has no body
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(b"" if status == 304 else body)  # noqa: PLR2004

            def log_message(self, *_: object) -> None:
                """Log nothing: the terminal shows the demo."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _page(name: str, releases: list[Published]) -> bytes:
    return json.dumps(
        [
            {
                "tag_name": f"v{release.version}",
                "name": release.version,
                "body": release.notes,
                "html_url": f"https://github.com/{ACCOUNT}/{name}/releases/tag/v{release.version}",
                "draft": False,
                "prerelease": False,
                "published_at": "2026-11-20T10:00:00Z",
                "assets": [],
            }
            for release in releases
        ]
    ).encode()
