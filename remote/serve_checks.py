"""What ``check`` looks at: a question each, in the order in which one depends on the other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from protocol.client import Client, StatusTimeoutError
from protocol.clock import Clock
from protocol.diagnostics import CheckResult, bad, good, note
from protocol.messages import FinalStatus, Progress
from protocol.types import Action, ProtocolError, Reason
from remote.errors import ConfigurationError, RemoteError
from remote.health.nats_connection import NatsConnection
from remote.installed.sources.self_version import own_version
from remote.installed.versions import VersionReader
from remote.releases.github import GitHubClient
from remote.releases.release import newest
from remote.settings import Settings, read_secret

_ANSWER_S = 60.0
_CONNECT_S = 5.0
_HOST = "look on the host: systemctl status dunebugger-update-coordinator; sudo update-coordinator check"


def server(settings: Settings) -> Iterator[CheckResult]:
    """Who is let in, and whether serve runs here."""
    where = settings.server
    try:
        token = read_secret(where.token_file, "the access token")
    except ConfigurationError as error:
        yield bad(str(error), "openssl rand -hex 32 makes a token")
        return
    if token is None and not where.is_loopback:
        remedy = "openssl rand -hex 32 > FILE, and name the file in server.token_file"
        yield bad(f"server.host is {where.host}, and there is no access token", remedy)
        return
    yield good(f"who connects to {where.host}:{where.port} {'needs the access token' if token else 'needs no token'}")
    try:
        # Whatever proxy leads to the world, our own loopback does not lie behind it.
        httpx.get(f"http://{where.authority}/healthz", timeout=_CONNECT_S, trust_env=False).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL):
        yield note("serve does not run here, or does not answer", "start it: dunebugger-remote serve")
    else:
        yield good(f"serve answers; this is version {own_version()}")


def folders(settings: Settings) -> Iterator[CheckResult]:
    """The two shared folders, and our own."""
    paths = settings.paths
    yield _folder("paths.requests", paths.requests)
    yield _folder("paths.status", paths.status)
    if not paths.state.exists() and os.access(paths.state.parent, os.W_OK | os.X_OK):
        yield good(f"paths.state {paths.state}: will be made at the start")
    else:
        yield _folder("paths.state", paths.state)


def _folder(name: str, folder: Path) -> CheckResult:
    try:
        found = folder.stat()
    except OSError as error:
        remedy = "mount a volume there; for the shared ones, install the coordinator on the host first"
        return bad(f"{name} {folder}: {error.strerror}", remedy)
    if found.st_nlink == 0:
        return bad(f"{name} {folder}: was made anew on the host", "recreate this container: it sees the old folder")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        remedy = f"let user {os.geteuid()} write there; for the shared ones by the host's group dunebugger: group_add"
        return bad(f"{name} {folder}: not ours to write", remedy)
    return good(f"{name} {folder}: ours to write")


def coordinator(settings: Settings, clock: Clock) -> Iterator[CheckResult]:
    """Have each component checked: that changes nothing, and shows whether anybody answers."""
    client = Client(settings.paths.requests, settings.paths.status, clock)
    for component in settings.components:
        try:
            final = _ask(client, component, settings.gateway.pickup_s)
        except ProtocolError as error:
            yield bad(str(error), _HOST)
            return
        yield _answered(component, final)


def _ask(client: Client, component: str, pickup_s: float) -> FinalStatus:
    """What the host says of a component; what is not taken up is withdrawn."""
    request_id, seen = client.submit(component, Action.HEALTH), list[Progress]()
    try:
        final = client.wait_for_status(request_id, timeout_s=pickup_s, on_progress=seen.append)
    except StatusTimeoutError:
        if not seen:
            client.withdraw(request_id)
            raise
        final = client.wait_for_status(request_id, timeout_s=_ANSWER_S)
    client.discard(request_id)
    return final


def _answered(component: str, final: FinalStatus) -> CheckResult:
    if final.reason is Reason.UNKNOWN_COMPONENT:
        return bad(f"{component}: the coordinator does not know it", "give it one name in both configurations")
    if not final.success:
        return note(f"{component}: {final.message}", "sudo update-coordinator check, on the host, tells more")
    return good(f"{component}: the coordinator answers: {final.message}")


def installed(settings: Settings) -> Iterator[CheckResult]:
    """Which versions run here."""
    versions = VersionReader(settings)
    versions.refresh()
    for component in settings.components:
        found = versions.of(component)
        if found.version is None:
            yield bad(found.error or f"{component}: unknown", f"see components.{component} in the configuration")
        else:
            yield good(f"{component}: {found.version} is installed")


def releases(settings: Settings, clock: Clock) -> Iterator[CheckResult]:
    """Whether every repository can be asked; with a cache of its own, for the real one is serve's."""
    try:
        token = read_secret(settings.releases.token_file, "the token for GitHub")
    except ConfigurationError as error:
        yield bad(str(error), "let this user read it, or leave releases.token_file out")
        return
    try:
        scratch = TemporaryDirectory()
    except OSError:  # where the root is read-only, and nothing else was mounted
        yield bad("cannot ask for releases: there is no folder for temporary files", "mount a tmpfs on /tmp")
        return
    with scratch as folder:
        yield from asyncio.run(_repositories(settings, token, clock, Path(folder)))


async def _repositories(settings: Settings, token: str | None, clock: Clock, scratch: Path) -> list[CheckResult]:
    async with GitHubClient(settings.releases, token, scratch, clock, own_version()) as github:
        return [await _repository(github, settings, component) for component in settings.components]


async def _repository(github: GitHubClient, settings: Settings, component: str) -> CheckResult:
    repository = settings.repository_of(component)
    try:
        entries = await github.list_releases(repository)
    except RemoteError as error:
        return bad(f"{component}: {error}", "see [releases] and the component's repository in the configuration")
    release = newest(entries, prereleases=settings.releases.prereleases)
    if release is None:
        return note(f"{component}: {repository} has no release with a version such as 1.2.3")
    return good(f"{component}: {release.version} is the latest release of {repository}")


def heartbeats(settings: Settings) -> Iterator[CheckResult]:
    """Whether NATS can be reached."""
    url = settings.nats.url
    if url is None:
        yield note("none is configured: health is known from the coordinator's checks alone")
        return
    try:
        token = read_secret(settings.nats.token_file, "the token for NATS")
        asyncio.run(_reach(NatsConnection(url, token, settings.nats.subject_root, lambda _: None)))
    except RemoteError as error:
        yield bad(f"cannot reach NATS: {error}", "see nats.url and nats.token_file in the configuration")
    else:
        yield good("it answers: heartbeats tell which components run")


async def _reach(connection: NatsConnection) -> None:
    await connection.open()
    await connection.close()
