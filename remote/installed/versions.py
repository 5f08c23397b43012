"""Installed versions of all components, as the last ``refresh`` found them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loguru import logger

from remote.installed.component_settings import ComponentSettings
from remote.installed.sources import SOURCES
from remote.installed.version_source import VersionUnknownError


@dataclass(frozen=True)
class InstalledVersion:
    """Result of reading one component's version; both fields are None before the first refresh.

    Attributes:
        version: SemVer without a leading ``v``; None if it is unknown.
        error: why it is unknown.
    """

    version: str | None
    error: str | None


class VersionReader:
    """Reads every component's version from its configured source and keeps the results.

    Args:
        components: by name, with their sources.
    """

    def __init__(self, components: Mapping[str, ComponentSettings]) -> None:
        self._components = components
        self._results = dict.fromkeys(components, InstalledVersion(None, None))

    def refresh(self) -> None:
        """Read every source again; a source that fails does not affect the other components (I16)."""
        for name, component in self._components.items():
            self._results[name] = _read(name, component)

    def of(self, component: str) -> InstalledVersion:
        """Return the latest result for ``component``, which must be configured."""
        return self._results[component]


def _read(name: str, component: ComponentSettings) -> InstalledVersion:
    try:
        return InstalledVersion(SOURCES[component.installed].read(component), None)
    except VersionUnknownError as error:
        return InstalledVersion(None, str(error))
    except Exception as error:  # noqa: BLE001  a defect in one source must not hide the other components' versions (I16)
        logger.opt(exception=error).error("cannot determine the installed version of {}", name)
        reason = f"{component.installed} failed with {type(error).__name__}; report this with the log"
        return InstalledVersion(None, str(VersionUnknownError(component, reason)))
