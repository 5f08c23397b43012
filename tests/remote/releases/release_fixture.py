"""Test fixture for releases: clients of the fake server with a manual clock, and captured log lines."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

from loguru import logger

from remote.releases.catalogue import Catalogue
from remote.releases.github import GitHubClient
from remote.releases.github_rate_limit import RateLimitTracker
from remote.settings import ReleaseSettings, RemoteSettings
from remote.store import StateStore
from tests.support.manual_clock import ManualClock

REPOSITORY = "owner/app"
COMPONENTS = {name: {"repository": name, "installed": "itself"} for name in ("one", "two", "three")}
ALL_ONE = dict.fromkeys(COMPONENTS, "1.0.0")
DAY_S = 24 * 3600


class ReleaseFixture:
    """A server, a state directory and a manual clock; each call uses a new client, as after a restart."""

    def __init__(self, server, state):
        self.server, self.state, self.clock = server, state, ManualClock()
        self.database = state / "state.sqlite"
        self.pauses = []
        self.token = None
        self.settings = {"api": server.url, "account": "owner"}

    async def pause(self, seconds):
        """Advance the clock instead of waiting."""
        self.pauses.append(seconds)
        self.clock.sleep(seconds)
        await asyncio.sleep(0)

    def store(self):
        """Return a newly opened store."""
        return StateStore(self.database, history=10)

    def github(self):
        """Return a new client."""
        settings = ReleaseSettings(**self.settings)
        limits = RateLimitTracker(self.store(), self.clock)
        cache = self.state / "releases-cache.sqlite"
        return GitHubClient(settings, self.token, cache, limits, self.clock, "1.2.3", pause=self.pause)

    def catalogue(self, github):
        """Return a new catalogue of three components."""
        settings = RemoteSettings.model_validate({"releases": self.settings, "components": COMPONENTS})
        return Catalogue(settings, github, self.store(), self.clock, pause=self.pause)

    def list_tags(self, repository=REPOSITORY):
        """Return the tags that a new client lists."""

        async def list_tags():
            async with self.github() as github:
                return [entry.tag_name for entry in await github.list_releases(repository)]

        return asyncio.run(list_tags())

    def refresh(self, *, force=False):
        """Return what a new catalogue knows after a refresh, by component."""

        async def refresh(catalogue):
            await catalogue.refresh(force=force)
            return {name: catalogue.info(name) for name in COMPONENTS}

        return self.run(refresh)

    def run(self, scenario):
        """Run a coroutine function with a new catalogue."""

        async def run():
            async with self.github() as github:
                return await scenario(self.catalogue(github))

        return asyncio.run(run())

    def load(self):
        """Return what a new catalogue knows without a request, by component."""
        catalogue = self.catalogue(self.github())
        return {name: catalogue.info(name) for name in COMPONENTS}


@contextmanager
def captured_log():
    """Capture the warnings that are logged within the block."""
    lines = []
    sink = logger.add(lambda line: lines.append(line.record["message"]), level="WARNING")
    try:
        yield lines
    finally:
        logger.remove(sink)


def versions(infos):
    """Return the newest versions, by component."""
    return {name: info.release.version if info.release else None for name, info in infos.items()}
