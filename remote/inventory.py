"""Inventory: the installed version, the latest release and the health of every component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remote.health.health_registry import HealthRegistry, HealthStatus
from remote.installed.versions import InstalledVersion, VersionReader
from remote.releases.catalogue import Catalogue, ReleaseInfo
from remote.releases.release import is_newer
from remote.settings import RemoteSettings


@dataclass(frozen=True)
class ComponentStatus:
    """What is known of one component at this moment."""

    name: str
    display_name: str
    installed: InstalledVersion
    releases: ReleaseInfo
    health: HealthStatus

    @property
    def latest(self) -> str | None:
        """The highest released version; None when it is not known."""
        return self.releases.release.version if self.releases.release else None

    @property
    def update_available(self) -> bool:
        """Whether the latest release is newer than the installed version; False when either is unknown."""
        current, latest = self.installed.version, self.latest
        return current is not None and latest is not None and is_newer(latest, current)


class Inventory:
    """Joins versions, releases and health into one status per component."""

    def __init__(
        self, settings: RemoteSettings, versions: VersionReader, catalogue: Catalogue, registry: HealthRegistry
    ) -> None:
        self._settings = settings
        self._versions = versions
        self._catalogue = catalogue
        self._registry = registry

    def refresh(self) -> None:
        """Read the installed versions again; blocks on files."""
        self._versions.refresh()

    def status_of(self, component: str) -> ComponentStatus:
        """The status of one configured component, with the installed version as of the last ``refresh``."""
        return ComponentStatus(
            name=component,
            display_name=self._settings.display_name_of(component),
            installed=self._versions.of(component),
            releases=self._catalogue.info(component),
            health=self._registry.of(component),
        )

    def statuses(self) -> Mapping[str, ComponentStatus]:
        """The status of every component."""
        return {component: self.status_of(component) for component in self._settings.components}
