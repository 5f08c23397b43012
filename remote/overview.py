"""What is installed, what is released and what runs, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remote.health.health_registry import HealthRegistry, HealthStatus
from remote.installed.versions import InstalledVersion, VersionReader
from remote.releases.catalogue import Catalogue, ReleaseInfo
from remote.releases.release import is_newer
from remote.settings import Settings


@dataclass(frozen=True)
class Comparison:
    """One component: what is known of it at this moment."""

    name: str
    display_name: str
    installed: InstalledVersion
    known: ReleaseInfo
    standing: HealthStatus

    @property
    def latest(self) -> str | None:
        """The highest version that is released; None when it is not known."""
        return self.known.release.version if self.known.release else None

    @property
    def update_available(self) -> bool:
        """Whether what is released is newer than what is installed; no where either is unknown."""
        current, latest = self.installed.version, self.latest
        return current is not None and latest is not None and is_newer(latest, current)


class Overview:
    """Puts together what the others know."""

    def __init__(
        self, settings: Settings, versions: VersionReader, catalogue: Catalogue, board: HealthRegistry
    ) -> None:
        self._settings = settings
        self._versions = versions
        self._catalogue = catalogue
        self._board = board

    def refresh(self) -> None:
        """Read the installed versions anew, as before every comparison."""
        self._versions.refresh()

    def of(self, component: str) -> Comparison:
        """What is known of one component, with the installed version as it was read last."""
        return Comparison(
            name=component,
            display_name=self._settings.display_name_of(component),
            installed=self._versions.of(component),
            known=self._catalogue.info(component),
            standing=self._board.of(component),
        )

    def all(self) -> Mapping[str, Comparison]:
        """What is known of every component."""
        return {component: self.of(component) for component in self._settings.components}
