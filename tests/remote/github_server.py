"""Fake GitHub server: the part of the REST API that lists releases.

``server.publish("owner/name", "1.2.3", notes="...")`` creates a release, ``server.inject(dropped(), times=2)`` makes
the next two responses faulty (see ``github_faults``), ``server.requests`` has the received requests and their statuses.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer

from github_handler import LIMIT, RecordedRequest, ReleaseHandler


@dataclass
class Repository:
    """A repository with its releases; ``releases`` is None for the old name of a renamed repository."""

    number: int
    name: str
    releases: list[dict] | None = field(default_factory=list)


class GitHubServer:
    """Publishes releases and serves them on loopback.

    Args:
        token: requests without this token are rejected; None accepts all requests.
        remaining: responses other than 304 that are left before the primary rate limit.
        now: the server's clock, in seconds since 1970.
    """

    def __init__(self, *, token=None, remaining=LIMIT, now=time.time):
        self.token, self.remaining, self.now = token, remaining, now
        self.requests: list[RecordedRequest] = []
        self.request_recorded = threading.Condition()
        self.closing = threading.Event()
        self.sockets = set()
        self._repositories: list[Repository] = []
        self._faults = deque()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (ReleaseHandler,), {"github": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()

    def close(self):
        """Stop serving, and disconnect all clients."""
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        for connection in list(self.sockets):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    def publish(self, repository, version, *, notes="", draft=False, prerelease=False, tag=None):
        """Publish a release; it is listed first, as the latest."""
        found = self.repository(repository) or self.create(repository)
        number = 1000 * found.number + len(found.releases)
        tag = f"v{version}" if tag is None else tag
        page = f"https://github.com/{repository}/releases"
        stamp = f"2026-01-01T{len(found.releases) // 60 % 24:02}:{len(found.releases) % 60:02}:00Z"
        release = {
            "url": f"{self.url}/repos/{repository}/releases/{number}",
            "assets_url": f"{self.url}/repos/{repository}/releases/{number}/assets",
            "html_url": f"{page}/tag/{tag}",
            "id": number,
            "author": {"login": repository.partition("/")[0], "id": 1, "type": "User", "site_admin": False},
            "node_id": f"RE_{number}",
            "tag_name": tag,
            "target_commitish": "main",
            "name": f"Release {version}",
            "draft": draft,
            "immutable": False,
            "prerelease": prerelease,
            "created_at": stamp,
            "updated_at": stamp,
            "published_at": None if draft else stamp,
            "assets": [],
            "tarball_url": f"{self.url}/repos/{repository}/tarball/{tag}",
            "zipball_url": f"{self.url}/repos/{repository}/zipball/{tag}",
            "body": notes,
        }
        found.releases = [release, *found.releases]

    def create(self, repository):
        """Create a repository without releases."""
        self._repositories.append(Repository(len(self._repositories) + 1, repository))
        return self._repositories[-1]

    def rename(self, repository, name):
        """Rename a repository to ``name``; requests for the old name are redirected to its number, as by GitHub."""
        renamed = self.repository(repository)
        self._repositories.append(Repository(renamed.number, name, renamed.releases))
        renamed.releases = None

    def inject(self, fault, *, times=1):
        """Apply ``fault`` to the next ``times`` responses; ``times=None``: to all, until ``clear_faults``."""
        self._faults.append([fault, times])

    def clear_faults(self):
        """Send correct responses again."""
        self._faults.clear()

    def statuses(self):
        """The number of responses by status."""
        return Counter(request.status for request in self.requests)

    def wait_for(self, count, timeout_s=60):
        """Wait until ``count`` requests have arrived, with or without a response."""
        with self.request_recorded:
            arrived = self.request_recorded.wait_for(lambda: len(self.requests) >= count, timeout_s)
        assert arrived, f"{len(self.requests)} of {count} requests arrived within {timeout_s} s"

    def repository(self, name):
        """The repository with this name; None if there is none."""
        return next((found for found in self._repositories if found.name.lower() == name.lower()), None)

    def numbered(self, number):
        """The repository with this number, under its current name."""
        found = [one for one in self._repositories if one.number == number and one.releases is not None]
        return found[0] if found else None

    def next_fault(self):
        """The fault of the next response; None for a correct one."""
        with suppress(IndexError):
            fault = self._faults[0]
            if fault[1] is not None:
                fault[1] -= 1
                if not fault[1]:
                    self._faults.popleft()
            return fault[0]
        return None
