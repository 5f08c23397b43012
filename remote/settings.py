"""Configuration of the container side: one frozen model, read from TOML; unknown keys are errors."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from protocol.configuration import AbsolutePath, ConfigurationInvalidError, Section, parse
from protocol.fs import exists
from protocol.names import is_component
from remote.errors import RemoteConfigurationError
from remote.installed.component_settings import ComponentSettings

DEFAULT_PATH = Path("/etc/dunebugger/remote.toml")
SELF = "remote"
TOKEN_CHARACTERS = 16  # the shortest accepted access token
NAME_CHARACTERS = 100  # an answer repeats this much of the name of an unknown component
# The loopback address on which a server that listens on every address is reached.
_LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  compared with, not listened on


def _url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with https:// or http://")
    return value.rstrip("/")


def _origin(value: str) -> str:
    if not value.startswith(("http://", "https://")) or "/" in value.partition("://")[2]:
        raise ValueError("must be an origin, such as https://dune.example.org")
    return value.lower()


class PathSettings(Section):
    """``[paths]``: the shared folders, and the state folder of this program."""

    requests: AbsolutePath = Path("/var/dunebugger/updates/requests")
    status: AbsolutePath = Path("/var/dunebugger/updates/status")
    state: AbsolutePath = Path("/var/lib/dunebugger/remote")


class Server(Section):
    """``[server]``: the listening address, and which clients are accepted."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    token_file: AbsolutePath | None = None
    names: tuple[str, ...] = Field(default=(), strict=False)
    origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = Field(default=(), strict=False)
    clients: int = Field(default=32, ge=1, le=1000)
    message_bytes: int = Field(default=65536, ge=1024, le=1024 * 1024)
    messages_per_s: float = Field(default=20, gt=0)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine, or this container, can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def authority(self) -> str:
        """``host:port`` for a client on the same machine, as in a URL (RFC 3986, section 3.2)."""
        host = _LOOPBACK_OF.get(self.host, self.host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


class ReleaseSettings(Section):
    """``[releases]``: the GitHub API that lists releases, and how often it is polled."""

    api: Annotated[str, AfterValidator(_url)] = "https://api.github.com"
    account: str = "marco-svitol"
    token_file: AbsolutePath | None = None
    prereleases: bool = False
    interval_h: float = Field(default=24, gt=0)
    timeout_s: float = Field(default=10, gt=0)


class NatsSettings(Section):
    """``[nats]``: the server for heartbeats; without ``url``, the coordinator's health checks report health."""

    url: str | None = None
    token_file: AbsolutePath | None = None
    subject_root: str = Field(default="dunebugger", pattern=r"^[A-Za-z0-9_-]+$")
    interval_s: float = Field(default=30, gt=0)
    alive_s: float = Field(default=45, gt=0)


class GatewaySettings(Section):
    """``[gateway]``: time limits for answers of the host, and the number of answered requests that are kept."""

    timeout_s: float = Field(default=600, gt=0)
    pickup_s: float = Field(default=30, gt=0)
    history: int = Field(default=200, ge=1, le=10000)


class DeviceSettings(Section):
    """``[device]``: the name and the location of this machine, for ``system_info``."""

    id: str | None = None
    location: str | None = None


def _default_components() -> dict[str, ComponentSettings]:
    """The three components of a DuneBugger device."""
    return {
        "core": ComponentSettings(
            repository="dunebugger", installed="version_file", path=Path("/opt/dunebugger/core/current/VERSION")
        ),
        "scheduler": ComponentSettings(
            repository="dunebugger-scheduler",
            installed="compose_file",
            path=Path("/opt/dunebugger/docker-compose.yml"),
            service="scheduler",
        ),
        SELF: ComponentSettings(repository="dunebugger-remote", installed="itself"),
    }


class RemoteSettings(Section):
    """The whole configuration."""

    paths: PathSettings = PathSettings()
    server: Server = Server()
    releases: ReleaseSettings = ReleaseSettings()
    nats: NatsSettings = NatsSettings()
    gateway: GatewaySettings = GatewaySettings()
    device: DeviceSettings = DeviceSettings()
    components: Mapping[str, ComponentSettings] = Field(default_factory=_default_components)

    @model_validator(mode="after")
    def _names_are_safe(self) -> RemoteSettings:
        for name in self.components:
            if not is_component(name):
                raise ValueError(f"components.{name}: a component name is 1 to 64 characters of A-Z a-z 0-9 . _ -")
        return self

    def repository_of(self, component: str) -> str:
        """Return ``owner/name`` of the repository that publishes the component's releases."""
        repository = self.components[component].repository
        return repository if "/" in repository else f"{self.releases.account}/{repository}"

    def display_name_of(self, component: str) -> str:
        """Return the component's name for people."""
        return self.components[component].display_name or f"dunebugger-{component}"

    def find_component(self, text: str) -> str | None:
        """Return the component with this name or display name, case-insensitively; None if there is none."""
        wanted = text.strip().lower()
        for name in self.components:
            if wanted in (name.lower(), self.display_name_of(name).lower()):
                return name
        return None


def load_settings(path: Path | None) -> RemoteSettings:
    """Read the configuration.

    Args:
        path: the file given by ``--config``; None for ``DEFAULT_PATH``, or for the defaults if that does not exist.

    Raises:
        RemoteConfigurationError: the file is missing, not TOML, or has an unknown key or an invalid value. The
            operator fixes it.
    """
    if path is None and not exists(DEFAULT_PATH):
        return RemoteSettings()
    path = path or DEFAULT_PATH
    try:
        return parse(RemoteSettings, path, path.read_bytes())
    except OSError as error:
        raise RemoteConfigurationError(f"cannot read the configuration {path}: {error.strerror}") from None
    except ConfigurationInvalidError as error:
        raise RemoteConfigurationError(str(error)) from None


def read_secret(path: Path | None, what: str) -> str | None:
    """Return the token in a file; None if ``path`` is None.

    Args:
        path: a file with one line.
        what: the purpose of the token, for error messages.

    Raises:
        RemoteConfigurationError: the file cannot be read, or is not one printable ASCII word; the operator's fault.
    """
    if path is None:
        return None
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        remedy = "make it readable for this user"
        raise RemoteConfigurationError(f"cannot read {what} from {path}: {reason}; {remedy}") from None
    if not secret.isascii() or not secret.isprintable() or not secret or " " in secret:
        raise RemoteConfigurationError(
            f"cannot use {path} for {what}: it must contain one line of ASCII without spaces"
        )
    return secret
