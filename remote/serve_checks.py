"""Checks of everything that ``serve`` needs, for ``dunebugger-remote check``; in order of dependency."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from protocol.client import Client, StatusTimeoutError
from protocol.clock import Clock
from protocol.diagnostics import CheckResult, bad, good, note
from protocol.messages import FinalStatus, Progress
from protocol.types import Action, ProtocolError, Reason
from remote.errors import RemoteConfigurationError, RemoteError
from remote.health.nats_connection import NatsConnection
from remote.installed.sources.self_version import own_version
from remote.installed.versions import VersionReader
from remote.releases.github import GitHubClient
from remote.releases.github_rate_limit import RateLimitTracker
from remote.releases.release import newest
from remote.settings import RemoteSettings, read_secret
from remote.store import StateStore

_FINAL_STATUS_S = 60.0  # for the answer to a health request that the coordinator has taken up
_CONNECT_S = 5.0
_HOST_REMEDY = "check on the host: systemctl status dunebugger-update-coordinator; sudo update-coordinator check"
_TOKEN_COMMAND = "openssl rand -hex 32"  # noqa: S105  a command, not a token


def check_server(settings: RemoteSettings) -> Iterator[CheckResult]:
    """Check the access token, and whether ``serve`` is running here."""
    where = settings.server
    try:
        token = read_secret(where.token_file, "the access token")
    except RemoteConfigurationError as error:
        yield bad(str(error), f"{_TOKEN_COMMAND} creates a token")
        return
    if token is None and not where.is_loopback:
        remedy = f"{_TOKEN_COMMAND} > FILE, and set server.token_file to the file"
        yield bad(f"server.host is {where.host}, and there is no access token", remedy)
        return
    need = "need the access token" if token else "need no token"
    yield good(f"clients of {where.host}:{where.port} {need}")
    try:
        # trust_env=False: a proxy for the internet does not reach our own loopback address.
        httpx.get(f"http://{where.authority}/healthz", timeout=_CONNECT_S, trust_env=False).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL):
        yield note("serve is not running here, or does not respond", "start it: dunebugger-remote serve")
    else:
        yield good(f"serve answers; this is version {own_version()}")


def check_folders(settings: RemoteSettings) -> Iterator[CheckResult]:
    """Check the two shared folders and the state folder."""
    paths = settings.paths
    yield _check_folder("paths.requests", paths.requests)
    yield _check_folder("paths.status", paths.status)
    if not paths.state.exists() and os.access(paths.state.parent, os.W_OK | os.X_OK):
        yield good(f"paths.state {paths.state}: is created at the start")
    else:
        yield _check_folder("paths.state", paths.state)


def _check_folder(name: str, folder: Path) -> CheckResult:
    try:
        found = folder.stat()
    except OSError as error:
        remedy = "mount a volume there; for the shared folders, install the coordinator on the host first"
        return bad(f"{name} {folder}: {error.strerror}", remedy)
    if found.st_nlink == 0:
        return bad(f"{name} {folder}: was replaced on the host", "recreate this container: it has the old folder")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        remedy = f"make it writable for user {os.geteuid()}; the shared folders by group_add with the group dunebugger"
        return bad(f"{name} {folder}: is not writable", remedy)
    return good(f"{name} {folder}: is writable")


def check_coordinator(settings: RemoteSettings, clock: Clock) -> Iterator[CheckResult]:
    """Request a health check of each component, which changes nothing.

    Ends at a request that cannot be written or is not taken up: the same would happen to the others. A component that
    fails in another way does not prevent the checks of the others (I16).
    """
    client = Client(settings.paths.requests, settings.paths.status, clock)
    for component in settings.components:
        progress = list[Progress]()
        try:
            final = _request_health(client, component, settings.gateway.pickup_s, progress)
        except ProtocolError as error:
            yield bad(str(error), _HOST_REMEDY)
            if not progress:
                return
        else:
            yield _assess(component, final)


def _request_health(client: Client, component: str, pickup_s: float, progress: list[Progress]) -> FinalStatus:
    """Return the answer to a health request; one that is not taken up within ``pickup_s`` is withdrawn."""
    request_id = client.submit(component, Action.HEALTH)
    try:
        final = client.wait_for_status(request_id, timeout_s=pickup_s, on_progress=progress.append)
    except StatusTimeoutError:
        if not progress:
            client.withdraw(request_id)
            raise
        final = client.wait_for_status(request_id, timeout_s=_FINAL_STATUS_S)
    client.discard(request_id)
    return final


def _assess(component: str, final: FinalStatus) -> CheckResult:
    if final.reason is Reason.UNKNOWN_COMPONENT:
        return bad(f"{component}: the coordinator has no such component", "use the same name in both configurations")
    if not final.success:
        return note(f"{component}: {final.message}", "for details on the host: sudo update-coordinator check")
    return good(f"{component}: the coordinator answers: {final.message}")


def check_installed_versions(settings: RemoteSettings) -> Iterator[CheckResult]:
    """Check that the installed version of each component can be determined."""
    versions = VersionReader(settings.components)
    versions.refresh()
    for component in settings.components:
        found = versions.of(component)
        if found.version is None:
            yield bad(found.error or f"{component}: unknown", f"see components.{component} in the configuration")
        else:
            yield good(f"{component}: {found.version} is installed")


def check_releases(settings: RemoteSettings, clock: Clock) -> Iterator[CheckResult]:
    """Check that every repository can be listed; with a temporary cache, as the real one belongs to ``serve``."""
    try:
        token = read_secret(settings.releases.token_file, "the token for GitHub")
    except RemoteConfigurationError as error:
        yield bad(str(error), "make it readable for this user, or remove releases.token_file")
        return
    try:
        scratch = TemporaryDirectory()
    except OSError:  # the root file system is read-only, and no tmpfs is mounted
        yield bad("cannot request releases: there is no folder for temporary files", "mount a tmpfs on /tmp")
        return
    with scratch as folder:
        yield from asyncio.run(_check_repositories(settings, token, clock, Path(folder)))


async def _check_repositories(
    settings: RemoteSettings, token: str | None, clock: Clock, scratch: Path
) -> list[CheckResult]:
    cache = scratch / "releases-cache.sqlite"
    with closing(StateStore(scratch / "state.sqlite", history=1)) as store:
        limits = RateLimitTracker(store, clock)
        async with GitHubClient(settings.releases, token, cache, limits, clock, own_version()) as github:
            return [await _check_repository(github, settings, component) for component in settings.components]


async def _check_repository(github: GitHubClient, settings: RemoteSettings, component: str) -> CheckResult:
    repository = settings.repository_of(component)
    try:
        entries = await github.list_releases(repository)
        release = newest(entries, prereleases=settings.releases.prereleases)
    except RemoteError as error:
        return bad(f"{component}: {error}", "see [releases] and the component's repository in the configuration")
    except Exception as error:  # noqa: BLE001  a defect met in one repository must not hide the others (I16)
        return bad(f"{component}: cannot check {repository}: {error!r}", "report this")
    if release is None:
        return note(f"{component}: {repository} has no release with a version such as 1.2.3")
    return good(f"{component}: {release.version} is the latest release of {repository}")


def check_nats(settings: RemoteSettings) -> Iterator[CheckResult]:
    """Check that the NATS server can be used."""
    url = settings.nats.url
    if url is None:
        yield note("no server is configured: health is known from the coordinator's health checks only")
        return
    try:
        token = read_secret(settings.nats.token_file, "the token for NATS")
        asyncio.run(_connect(NatsConnection(url, token, settings.nats.subject_root, lambda _: None)))
    except RemoteError as error:
        yield bad(f"cannot reach NATS: {error}", "see nats.url and nats.token_file in the configuration")
    else:
        yield good("the server responds: heartbeats show which components run")


async def _connect(connection: NatsConnection) -> None:
    try:
        await connection.open()
    finally:
        await connection.close()
