"""The configuration of the container side: one frozen model, read from TOML, strict about every key."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from protocol.configuration import AbsolutePath, ConfigurationInvalidError, Section, parse
from protocol.fs import exists
from protocol.names import is_component
from remote.errors import ConfigurationError
from remote.installed import loading

DEFAULT_PATH = Path("/etc/dunebugger/remote.toml")
SELF = "remote"
TOKEN_CHARACTERS = 16
_MEANINGS = {"path": "the file to read", "service": "its name in that file"}
_BESIDE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  compared with, not listened on


def _url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with https:// or http://")
    return value.rstrip("/")


def _origin(value: str) -> str:
    if not value.startswith(("http://", "https://")) or "/" in value.partition("://")[2]:
        raise ValueError("must be an origin, such as https://dune.example.org")
    return value.lower()


def _source(value: str) -> str:
    if value not in loading.known():
        raise ValueError(f"must be one of {', '.join(loading.known())}")
    return value


class Paths(Section):
    """Where things lie."""

    requests: AbsolutePath = Path("/var/dunebugger/updates/requests")
    status: AbsolutePath = Path("/var/dunebugger/updates/status")
    state: AbsolutePath = Path("/var/lib/dunebugger/remote")


class Server(Section):
    """Where people and programs reach us, and who may."""

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
        """Whether nobody beyond this machine, or this container, can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def authority(self) -> str:
        """``host:port`` at which who runs beside us reaches us, as URLs have it (RFC 3986, section 3.2)."""
        host = _BESIDE.get(self.host, self.host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


class Releases(Section):
    """Where releases are published."""

    api: Annotated[str, AfterValidator(_url)] = "https://api.github.com"
    account: str = "marco-svitol"
    token_file: AbsolutePath | None = None
    prereleases: bool = False
    interval_h: float = Field(default=24, gt=0)
    timeout_s: float = Field(default=10, gt=0)


class Nats(Section):
    """Where components tell that they live; without ``url``, the coordinator's health checks do."""

    url: str | None = None
    token_file: AbsolutePath | None = None
    subject_root: str = Field(default="dunebugger", pattern=r"^[A-Za-z0-9_-]+$")
    interval_s: float = Field(default=30, gt=0)
    alive_s: float = Field(default=45, gt=0)


class Gateway(Section):
    """How long the host is waited for."""

    timeout_s: float = Field(default=600, gt=0)
    pickup_s: float = Field(default=30, gt=0)
    history: int = Field(default=200, ge=1, le=10000)


class Device(Section):
    """What people call this machine, and where it is."""

    id: str | None = None
    location: str | None = None


class Component(Section):
    """One thing that can be updated: where its releases are, and how its installed version is known."""

    repository: str = Field(pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)?$")
    display_name: str | None = None
    installed: Annotated[str, AfterValidator(_source)]
    path: AbsolutePath | None = None
    service: str | None = None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Component:
        for key in loading.load(self.installed).NEEDS:
            if getattr(self, key) is None:
                raise ValueError(f'installed = "{self.installed}" needs {key}, {_MEANINGS[key]}')
        return self


def _document_components() -> dict[str, Component]:
    """The three of the design document."""
    return {
        "core": Component(
            repository="dunebugger", installed="version_file", path=Path("/opt/dunebugger/core/current/VERSION")
        ),
        "scheduler": Component(
            repository="dunebugger-scheduler",
            installed="compose_file",
            path=Path("/opt/dunebugger/docker-compose.yml"),
            service="scheduler",
        ),
        SELF: Component(repository="dunebugger-remote", installed="itself"),
    }


class Settings(Section):
    """The whole configuration."""

    paths: Paths = Paths()
    server: Server = Server()
    releases: Releases = Releases()
    nats: Nats = Nats()
    gateway: Gateway = Gateway()
    device: Device = Device()
    components: Mapping[str, Component] = Field(default_factory=_document_components)

    @model_validator(mode="after")
    def _names_are_safe(self) -> Settings:
        for name in self.components:
            if not is_component(name):
                raise ValueError(f"components.{name}: a component's name is 1 to 64 of A-Z a-z 0-9 . _ -")
        return self

    def repository_of(self, component: str) -> str:
        """``owner/name`` of the repository where the component's releases are."""
        repository = self.components[component].repository
        return repository if "/" in repository else f"{self.releases.account}/{repository}"

    def display_name_of(self, component: str) -> str:
        """What people call the component."""
        return self.components[component].display_name or f"dunebugger-{component}"

    def named(self, text: str) -> str | None:
        """The component that ``text`` names, by its own name or the one people use; None when there is none."""
        wanted = text.strip().lower()
        for name in self.components:
            if wanted in (name.lower(), self.display_name_of(name).lower()):
                return name
        return None


def load_settings(path: Path | None) -> Settings:
    """Read the configuration.

    Args:
        path: the file the operator named; None for the installed one, or the defaults where none is installed.

    Raises:
        ConfigurationError: the file is missing, not TOML, or holds an unknown key or a wrong value.
    """
    if path is None and not exists(DEFAULT_PATH):
        return Settings()
    path = path or DEFAULT_PATH
    try:
        return parse(Settings, path, path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot read the configuration {path}: {error.strerror}") from None
    except ConfigurationInvalidError as error:
        raise ConfigurationError(str(error)) from None


def read_secret(path: Path | None, what: str) -> str | None:
    """The one line of a file that holds a token; None where none is configured.

    Raises:
        ConfigurationError: the file cannot be read, or does not hold one printable word.
    """
    if path is None:
        return None
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError(f"cannot read {what} from {path}: {reason}; let this user read it") from None
    if not secret.isascii() or not secret.isprintable() or not secret or " " in secret:
        raise ConfigurationError(f"cannot use {path} for {what}: it must hold one line without blanks")
    return secret
