"""What the tests of releases share: a client of the server, without waiting, and what is said to the log."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

from hand_clock import HandClock
from loguru import logger

from remote.releases.catalogue import Catalogue
from remote.releases.github import GitHub
from remote.settings import ReleaseSettings, Settings

REPOSITORY = "owner/app"
COMPONENTS = {name: {"repository": name, "installed": "itself"} for name in ("one", "two", "three")}
ALL_ONE = dict.fromkeys(COMPONENTS, "1.0.0")
DAY_S = 24 * 3600


class Stage:
    """A server, a state folder and a clock; every question is asked by a new process, so to speak."""

    def __init__(self, server, state):
        self.server, self.state, self.clock = server, state, HandClock()
        self.pauses = []
        self.token = None
        self.settings = {"api": server.url, "account": "owner"}

    async def pause(self, seconds):
        """Time passes at once."""
        self.pauses.append(seconds)
        self.clock.sleep(seconds)
        await asyncio.sleep(0)

    def github(self):
        """A client."""
        settings = ReleaseSettings(**self.settings)
        return GitHub(settings, self.token, self.state, self.clock, "1.2.3", pause=self.pause)

    def catalogue(self, github):
        """A catalogue of three components."""
        settings = Settings.model_validate({"releases": self.settings, "components": COMPONENTS})
        return Catalogue(settings, github, self.state / "releases.json", self.clock, pause=self.pause)

    def ask(self, repository=REPOSITORY):
        """The tags that a new client finds."""

        async def ask():
            async with self.github() as github:
                return [entry.tag_name for entry in await github.releases(repository)]

        return asyncio.run(ask())

    def refresh(self, *, force=False):
        """What a new catalogue knows after it was refreshed, by component."""

        async def refresh(catalogue):
            await catalogue.refresh(force=force)
            return {name: catalogue.known(name) for name in COMPONENTS}

        return self.run(refresh)

    def run(self, walk):
        """What comes of walking with a new catalogue."""

        async def run():
            async with self.github() as github:
                return await walk(self.catalogue(github))

        return asyncio.run(run())

    def recall(self):
        """What a new catalogue knows without asking."""
        catalogue = self.catalogue(self.github())
        return {name: catalogue.known(name) for name in COMPONENTS}


@contextmanager
def log():
    """The lines that are logged meanwhile."""
    lines = []
    sink = logger.add(lambda line: lines.append(line.record["message"]), level="WARNING")
    try:
        yield lines
    finally:
        logger.remove(sink)


def versions(known):
    """The newest versions, by component."""
    return {name: one.release.version if one.release else None for name, one in known.items()}
