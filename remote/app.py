"""Wires all parts of the container side."""

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
from protocol.instance_lock import InstanceLock, InstanceLockedError
from protocol.types import Action
from remote.api.auth import Authenticator
from remote.api.routes import Routes
from remote.context import AppContext
from remote.errors import RemoteConfigurationError
from remote.events import builders
from remote.events.bus import EventBus, SequenceAllocator
from remote.events.notifier import RequestNotifier
from remote.gateway.errors import SubmitError
from remote.gateway.gateway import Gateway
from remote.gateway.request_follower import RequestFollower
from remote.gateway.status_watcher import StatusWatcher
from remote.health.health_registry import HealthRegistry
from remote.installed.sources.self_version import own_version
from remote.installed.versions import VersionReader
from remote.inventory import Inventory
from remote.legacy_state import import_legacy_state
from remote.releases.catalogue import Catalogue
from remote.releases.github import GitHubClient
from remote.releases.github_rate_limit import RateLimitTracker
from remote.request_service import RequestService
from remote.settings import SELF, TOKEN_CHARACTERS, RemoteSettings, read_secret
from remote.state_database import StoreError
from remote.store import StateStore


class App:
    """The container side, wired but not running yet.

    Raises:
        RemoteConfigurationError: a secret cannot be read, the state folder cannot be used, or a token is missing.
    """

    def __init__(self, settings: RemoteSettings, clock: Clock | None = None) -> None:
        clock = clock or SystemClock()
        self.is_broken = False
        authenticator = Authenticator(settings.server, _access_token(settings))
        self._lock, self._store, sequence = _open_state(settings)
        self._github = GitHubClient(
            settings.releases,
            read_secret(settings.releases.token_file, "the token for GitHub"),
            settings.paths.state / "releases-cache.sqlite",
            RateLimitTracker(self._store, clock),
            clock,
            own_version(),
        )
        registry = HealthRegistry(settings.components, SELF if SELF in settings.components else None, clock)
        catalogue = Catalogue(settings, self._github, self._store, clock)
        inventory = Inventory(settings, VersionReader(settings.components), catalogue, registry)
        self.bus = EventBus(sequence, partial(builders.answers_between, self._store, settings))
        notifier = RequestNotifier(settings, self.bus, inventory, registry, self._submit_health_check)
        client = Client(settings.paths.requests, settings.paths.status, clock)
        watcher = StatusWatcher(settings.paths.status)
        follower = RequestFollower(client, self._store, settings.gateway, clock, notifier)
        gateway = Gateway(client, self._store, follower, watcher, clock)
        requests = RequestService(settings, catalogue, inventory, gateway)
        self._context = AppContext(settings, clock, gateway, catalogue, inventory, notifier, requests)
        self._heartbeats = None
        if settings.nats.url is not None:
            # Here: the library takes memory, and a fifth of the start's processor time.
            from remote.health.heartbeats import HeartbeatMonitor  # noqa: PLC0415

            self._heartbeats = HeartbeatMonitor(
                settings.nats,
                read_secret(settings.nats.token_file, "the token for NATS"),
                tuple(settings.components),
                registry,
                notifier.publish_health,
                clock,
            )
        self.asgi = Routes(self._context, self.bus, authenticator, self.running).app

    async def _submit_health_check(self, component: str) -> None:
        """Check a component after its update; no client requested it, so a failure is only logged."""
        try:
            await self._context.gateway.submit(component, Action.HEALTH, automatic=True)
        except SubmitError as error:
            logger.warning("cannot check the health of {} after its update: {}", component, error)

    @asynccontextmanager
    async def running(self, _starlette: Starlette | None = None) -> AsyncIterator[None]:
        """Follow requests, releases and heartbeats as long as the block lasts."""
        context = self._context
        await asyncio.to_thread(context.inventory.refresh)
        loops = [context.gateway.run(), context.catalogue.poll(context.notifier.publish_inventory)]
        if self._heartbeats is not None:
            loops.append(self._heartbeats.run())
        tasks = [asyncio.create_task(loop) for loop in loops]
        for task in tasks:
            task.add_done_callback(self._stop_if_broken)
        try:
            yield
        finally:
            await context.requests.finish()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._github.aclose()
            self._store.close()

    def _stop_if_broken(self, task: asyncio.Task[None]) -> None:
        """End the process when one of its loops ended, so that the container's runtime restarts it."""
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.opt(exception=error).critical("cannot continue: a part of this program ended")
            self.is_broken = True
            signal.raise_signal(signal.SIGTERM)


def _access_token(settings: RemoteSettings) -> str | None:
    token = read_secret(settings.server.token_file, "the access token")
    remedy = "put one into a file, as with: openssl rand -hex 32, and name the file in server.token_file"
    if token is None and not settings.server.is_loopback:
        raise RemoteConfigurationError(
            f"cannot listen on {settings.server.host} without an access token: all hosts there could update; {remedy}"
        )
    if token is not None and len(token) < TOKEN_CHARACTERS:
        raise RemoteConfigurationError(
            f"cannot use the access token in {settings.server.token_file}: it is shorter than {TOKEN_CHARACTERS} "
            f"characters; {remedy}"
        )
    return token


def _open_state(settings: RemoteSettings) -> tuple[InstanceLock, StateStore, SequenceAllocator]:
    """Lock the state folder for this process, open the store, and import the state of earlier releases."""
    state = settings.paths.state
    try:
        state.mkdir(parents=True, exist_ok=True)
        lock = InstanceLock(state / "lock")
        store = StateStore(state / "state.sqlite", settings.gateway.history)
        import_legacy_state(state, store)
        return lock, store, SequenceAllocator(store)
    except InstanceLockedError:
        raise RemoteConfigurationError(
            f"cannot use {state}: another dunebugger-remote works there; stop it, or set paths.state"
        ) from None
    except (OSError, StoreError) as error:
        raise RemoteConfigurationError(
            f"cannot use the state folder {state}: {_reason(error)}; "
            "make it writable for this user; in a container, mount a volume"
        ) from None


def _reason(error: OSError | StoreError) -> object:
    return error.strerror if isinstance(error, OSError) else error
