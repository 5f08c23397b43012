"""Wires everything: the one place that knows all parts."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from loguru import logger
from starlette.applications import Starlette

from protocol.client import Client
from protocol.clock import Clock, SystemClock
from protocol.types import Action
from remote import sole, told
from remote.api.door import Door
from remote.api.numbers import Numbers
from remote.api.site import Site
from remote.api.stream import Stream
from remote.errors import ConfigurationError
from remote.gateway.bell import Bell
from remote.gateway.errors import CannotAskError
from remote.gateway.gateway import Gateway
from remote.gateway.records import Records
from remote.health.health_registry import HealthRegistry
from remote.health.heartbeats import HeartbeatMonitor
from remote.house import House
from remote.installed.sources.self_version import own_version
from remote.installed.versions import VersionReader
from remote.overview import Overview
from remote.releases.catalogue import Catalogue
from remote.releases.github import GitHubClient
from remote.settings import SELF, TOKEN_CHARACTERS, Settings, read_secret
from remote.teller import Teller
from remote.undisturbed import Undisturbed
from remote.updater import Updater


class App:
    """The container side, built but not running yet.

    Raises:
        ConfigurationError: a secret cannot be read, the state folder cannot be used, or everybody could come in.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        clock = clock or SystemClock()
        self.settings = settings
        self.is_broken = False
        self.door = Door(settings.server, _access_token(settings))
        state = settings.paths.state
        records, numbers = _remembered(settings)
        self._github = GitHubClient(
            settings.releases,
            read_secret(settings.releases.token_file, "the token for GitHub"),
            state,
            clock,
            own_version(),
        )
        board = HealthRegistry(settings.components, SELF if SELF in settings.components else None, clock)
        catalogue = Catalogue(settings, self._github, state / "releases.json", clock)
        overview = Overview(settings, VersionReader(settings), catalogue, board)
        stream = Stream(numbers, partial(told.answers_between, records, settings))
        self._undisturbed = Undisturbed()
        teller = Teller(settings, stream, overview, board, self._ask_health)
        client = Client(settings.paths.requests, settings.paths.status, clock)
        gateway = Gateway(client, records, Bell(settings.paths.status), settings.gateway, clock, teller)
        updater = Updater(settings, catalogue, overview, gateway, self._undisturbed)
        self.house = House(settings, clock, records, gateway, catalogue, overview, stream, teller, updater)
        self._heartbeats = (
            None
            if settings.nats.url is None
            else HeartbeatMonitor(
                settings.nats,
                read_secret(settings.nats.token_file, "the token for NATS"),
                tuple(settings.components),
                board,
                teller.tell_standing,
                clock,
            )
        )
        self.site = Site(self.house, self.door, self.living)

    async def _ask_health(self, component: str) -> None:
        """After an update nobody asked for this: what keeps it from being asked is for the log alone."""
        try:
            await self.house.gateway.ask(component, Action.HEALTH, automatic=True)
        except CannotAskError as error:
            logger.warning("cannot have {} checked after its update: {}", component, error)

    @asynccontextmanager
    async def living(self, _starlette: Starlette | None = None) -> AsyncIterator[None]:
        """Follow requests, releases and heartbeats as long as the block lasts."""
        await asyncio.to_thread(self.house.overview.refresh)
        endless = [self.house.gateway.run(), self.house.catalogue.poll(self.house.teller.look_again)]
        if self._heartbeats is not None:
            endless.append(self._heartbeats.run())
        tasks = [asyncio.create_task(coroutine) for coroutine in endless]
        for task in tasks:
            task.add_done_callback(self._end_if_it_broke)
        try:
            yield
        finally:
            await self._undisturbed.finish()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._github.aclose()

    def _end_if_it_broke(self, task: asyncio.Task[None]) -> None:
        """Better no page than one that seems to work: whoever runs us starts us again."""
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.opt(exception=error).critical("cannot go on: a part of this program ended")
            self.is_broken = True
            signal.raise_signal(signal.SIGTERM)


def _access_token(settings: Settings) -> str | None:
    token = read_secret(settings.server.token_file, "the access token")
    remedy = "put one into a file, as with: openssl rand -hex 32, and name the file in server.token_file"
    if token is None and not settings.server.is_loopback:
        raise ConfigurationError(
            f"cannot listen on {settings.server.host} without an access token: everybody there could update; {remedy}"
        )
    if token is not None and len(token) < TOKEN_CHARACTERS:
        raise ConfigurationError(
            f"cannot use the access token in {settings.server.token_file}: it is shorter than {TOKEN_CHARACTERS} "
            f"characters; {remedy}"
        )
    return token


def _remembered(settings: Settings) -> tuple[Records, Numbers]:
    state = settings.paths.state
    records, numbers = Records(state / "requests", settings.gateway.history), Numbers(state / "numbers")
    try:
        sole.claim(state)
        records.load()
        numbers.load()
    except OSError as error:
        raise ConfigurationError(
            f"cannot use the state folder {state}: {error.strerror}; "
            "let this user write there; in a container, mount a volume"
        ) from None
    return records, numbers
