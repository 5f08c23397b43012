"""A server that speaks the part of GitHub's REST interface that lists releases; it publishes what a test wants.

``server.publish("owner/name", "1.2.3", notes="...")`` makes a release, ``server.misbehave(dropped(), times=2)`` has the
next two answers go wrong (see ``github_faults``), ``server.answers`` tells what was asked and answered.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer

from github_answer import LIMIT, Answer, Answered


@dataclass
class Repository:
    """What is published where; ``releases`` is None under a name that it no longer has."""

    number: int
    name: str
    releases: list[dict] | None = field(default_factory=list)


class GitHubServer:
    """Publishes releases and serves them on loopback.

    Args:
        token: refuses whoever brings another, or none; None serves everybody.
        remaining: how many questions are answered with more than a 304 before the primary limit is reached.
        now: the server's clock, in seconds since 1970.
    """

    def __init__(self, *, token=None, remaining=LIMIT, now=time.time):
        self.token, self.remaining, self.now = token, remaining, now
        self.answers: list[Answered] = []
        self.asked = threading.Condition()
        self.closing = threading.Event()
        self.sockets = set()
        self._repositories: list[Repository] = []
        self._faults = deque()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Answer,), {"github": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()

    def close(self):
        """Stop serving, whoever is connected."""
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
        """A repository without releases."""
        self._repositories.append(Repository(len(self._repositories) + 1, repository))
        return self._repositories[-1]

    def rename(self, repository, name):
        """Call a repository ``name``; who asks for the old one is redirected to its number, as GitHub does."""
        renamed = self.repository(repository)
        self._repositories.append(Repository(renamed.number, name, renamed.releases))
        renamed.releases = None

    def misbehave(self, fault, *, times=1):
        """Have the next ``times`` answers go wrong; ``times=None``: all, until ``behave``."""
        self._faults.append([fault, times])

    def behave(self):
        """Nothing goes wrong any more."""
        self._faults.clear()

    def statuses(self):
        """How often each status was answered."""
        return Counter(answered.status for answered in self.answers)

    def wait_for(self, count, patience_s=60):
        """Wait until so many questions have come, answered or not."""
        with self.asked:
            assert self.asked.wait_for(lambda: len(self.answers) >= count, patience_s), "waited in vain"

    def repository(self, name):
        """The repository of that name; None when there is none."""
        return next((found for found in self._repositories if found.name.lower() == name.lower()), None)

    def numbered(self, number):
        """The repository of that number, under its present name."""
        found = [one for one in self._repositories if one.number == number and one.releases is not None]
        return found[0] if found else None

    def next_fault(self):
        """What is to go wrong with the answer that is due now; None for nothing."""
        with suppress(IndexError):
            fault = self._faults[0]
            if fault[1] is not None:
                fault[1] -= 1
                if not fault[1]:
                    self._faults.popleft()
            return fault[0]
        return None
