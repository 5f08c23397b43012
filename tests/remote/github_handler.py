"""Request handler with responses in the format of GitHub's REST API."""

from __future__ import annotations

import hashlib
import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

LIMIT = 60  # requests per hour without a token


@dataclass
class RecordedRequest:
    """A request and the status of its response; None if the connection was dropped instead."""

    path: str
    headers: dict[str, str]
    status: int | None = None


class ReleaseHandler(BaseHTTPRequestHandler):
    """Handles the requests of one connection; a subclass sets ``github``, the ``GitHubServer``."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "github.com", ""

    def setup(self):
        super().setup()
        self.github.sockets.add(self.connection)
        if self.github.closing.is_set():  # the server has already shut down the connections that it knew
            self.connection.shutdown(socket.SHUT_RDWR)

    def finish(self):
        self.github.sockets.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def handle(self):
        with suppress(OSError):  # the client disconnected, or a fault closed the connection
            super().handle()

    def do_GET(self):
        self.recorded = RecordedRequest(self.path, {name.lower(): value for name, value in self.headers.items()})
        with self.github.request_recorded:
            self.github.requests.append(self.recorded)
            self.github.request_recorded.notify_all()
            fault = self.github.next_fault()
        if fault is not None:
            fault(self)
        else:
            self.list_releases()

    def list_releases(self, **more):
        """Send the correct response, with ``more`` headers."""
        if self.github.token is not None and self.headers["Authorization"] != f"Bearer {self.github.token}":
            self.reject(401, "Bad credentials")
        elif self.github.remaining <= 0:
            self.reject(403, "API rate limit exceeded for 203.0.113.7.")
        else:
            self._list(more)

    def _list(self, more):
        address = urlsplit(self.path)
        match address.path.strip("/").split("/"):
            case ["repos", owner, name, "releases"]:
                found = self.github.repository(f"{owner}/{name}")
            case ["repositories", number, "releases"] if number.isdigit():
                found = self.github.numbered(int(number))
            case _:
                found = None
        if found is None:
            self.reject(404, "Not Found")
        elif found.releases is None:
            moved = f"{self.github.url}/repositories/{found.number}/releases?{address.query}"
            self.reject(301, "Moved Permanently", Location=moved)
        else:
            self._page(found, {name: values[0] for name, values in parse_qs(address.query).items()}, more)

    def _page(self, found, query, more):
        size, page = min(int(query.get("per_page", 30)), 100), int(query.get("page", 1))
        last = max(1, -(-len(found.releases) // size))
        base = f"{self.github.url}/repositories/{found.number}/releases?per_page={size}&page="
        relations = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
        present = (["prev"] if page > 1 else []) + (["next", "last"] if page < last else []) + ["first"] * (page > 1)
        links = ", ".join(f'<{base}{relations[rel]}>; rel="{rel}"' for rel in present)
        body = json.dumps(found.releases[(page - 1) * size : page * size]).encode()
        etag = f'W/"{hashlib.sha256(body).hexdigest()}"'
        headers = {"ETag": etag, "Vary": "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding"}
        headers["Cache-Control"] = f"{'public' if self.github.token is None else 'private'}, max-age=60, s-maxage=60"
        headers |= ({"Link": links} if links else {}) | more
        if self.headers["If-None-Match"] in (etag, etag.removeprefix("W/")):
            self.reply(304, b"", **headers)
        else:
            self.github.remaining -= 1
            self.reply(200, body, **headers)

    def reject(self, status, message, **headers):
        """Send an error or a redirect with a body like GitHub's."""
        body = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
        self.reply(status, json.dumps(body).encode(), **headers)

    def reply(self, status, body, *, length=None, **headers):
        """Send a response; ``headers`` by name, with ``_`` for ``-``; the value None removes a default header."""
        self.recorded.status = status
        remaining = max(0, self.github.remaining)
        fields = {
            "Date": format_datetime(datetime.fromtimestamp(self.github.now(), UTC), usegmt=True),
            "Content-Type": "application/json; charset=utf-8",
            "X-RateLimit-Limit": LIMIT,
            "X-RateLimit-Remaining": remaining,
            "X-RateLimit-Used": LIMIT - remaining,
            "X-RateLimit-Reset": int(self.github.now()) + 1800,
            "X-RateLimit-Resource": "core",
            "X-GitHub-Media-Type": "github.v3; format=json",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        if status != 304:
            fields["Content-Length"] = len(body) if length is None else length
        self.send_response_only(status)
        for name, value in fields.items():
            if value is not None:
                self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
