"""The configuration: one frozen model, read from TOML, strict about every key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

import executors.registry
from coordinator.errors import ConfigurationError, from_os_error
from protocol.configuration import AbsolutePath, ConfigurationInvalidError, Section, parse
from protocol.fs import exists
from protocol.names import is_component

DEFAULT_PATH = Path("/etc/dunebugger/update-coordinator.toml")


def _executor(name: str) -> str:
    if name not in executors.registry.backend_names():
        raise ValueError(f"must be one of {', '.join(executors.registry.backend_names())}")
    return name


class Paths(Section):
    """Folders and files."""

    requests: AbsolutePath = Path("/var/dunebugger/updates/requests")
    status: AbsolutePath = Path("/var/dunebugger/updates/status")
    state: AbsolutePath = Path("/var/lib/dunebugger/update-coordinator")
    log_file: AbsolutePath | None = Path("/var/log/dunebugger/update-coordinator.log")

    @model_validator(mode="after")
    def _require_two_folders(self) -> Paths:
        if self.requests == self.status:
            raise ValueError(
                "paths.requests and paths.status are one folder; give each its own: their files share names"
            )
        return self


class Limits(Section):
    """Bounds of memory and disk (I12)."""

    request_bytes: int = Field(default=65536, ge=1024, le=16 * 1024 * 1024)
    output_bytes: int = Field(default=262144, ge=1024, le=16 * 1024 * 1024)
    status_retention_days: float = Field(default=7, gt=0)
    history_days: float = Field(default=365, gt=0)
    logs_bytes: int = Field(default=1024 * 1024 * 1024, gt=0)
    settle_s: float = Field(default=2, ge=0, le=60)


class Execution(Section):
    """How scripts are run."""

    executor: Annotated[str, AfterValidator(_executor)] = "sh"
    stop_timeout_s: float = Field(default=60, ge=0)


class Component(Section):
    """A component that can be updated."""

    directory: AbsolutePath
    lock: str | None = Field(default=None, min_length=1)
    timeout_s: float = Field(default=600, gt=0)
    kill_grace_s: float = Field(default=10, ge=0)
    verify_health: bool = True
    on_failure: Literal["rollback", "none"] = "rollback"
    on_interruption: Literal["rollback", "rerun"] = "rollback"
    memory_bytes: int = Field(default=2 * 1024 * 1024 * 1024, ge=16 * 1024 * 1024)


def _default_components() -> dict[str, Component]:
    """The three components of docs/requirements.md, section 2.3; two share a compose file, hence a lock."""
    return {
        "core": Component(directory=Path("/opt/dunebugger/core")),
        "scheduler": Component(directory=Path("/opt/dunebugger/scheduler"), lock="compose"),
        "remote": Component(directory=Path("/opt/dunebugger/remote"), lock="compose"),
    }


class Settings(Section):
    """The whole configuration."""

    paths: Paths = Paths()
    limits: Limits = Limits()
    execution: Execution = Execution()
    components: Mapping[str, Component] = Field(default_factory=_default_components)

    @model_validator(mode="after")
    def _require_directories_apart(self) -> Settings:
        owners: dict[Path, str] = {}
        for name, component in self.components.items():
            if not is_component(name):
                raise ValueError(f"components.{name}: a component's name is 1 to 64 of A-Z a-z 0-9 . _ -")
            other = owners.setdefault(component.directory, name)
            if other != name:
                raise ValueError(
                    f"components.{name}.directory: {component.directory} is the directory of components.{other} "
                    "already; give each component a directory of its own"
                )
        return self

    @property
    def lanes(self) -> dict[str, frozenset[str]]:
        """Lock → the components that hold it while they run (I10)."""
        lanes: dict[str, set[str]] = {}
        for name, component in self.components.items():
            lanes.setdefault(component.lock or name, set()).add(name)
        return {lock: frozenset(names) for lock, names in lanes.items()}

    def lane_of(self, component: str) -> str:
        """The lock ``component`` runs under; its own name unless the configuration names one."""
        return self.components[component].lock or component


def load_settings(path: Path | None) -> Settings:
    """Read the configuration.

    Args:
        path: the file the operator named; None for the installed one, or the defaults where none is installed.

    Raises:
        ConfigurationError: the file is missing, not TOML, or holds an unknown key or a wrong value; the message
            names file, line where possible, key, and the nearest known key.
        UnavailableError: the file exists, but could not be read this time.
    """
    if path is None and not exists(DEFAULT_PATH):
        return Settings()
    path = path or DEFAULT_PATH
    try:
        content = path.read_bytes()
    except OSError as error:
        raise from_os_error(f"cannot read the configuration {path}: {error.strerror}", error) from None
    try:
        return parse(Settings, path, content)
    except OSError as error:
        raise from_os_error(f"cannot read {error.filename}: {error.strerror}", error) from None
    except ConfigurationInvalidError as error:
        raise ConfigurationError(str(error)) from None
