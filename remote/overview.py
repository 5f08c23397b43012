"""What is installed, what is released and what runs, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from remote.health.standing import Board, Standing
from remote.installed.versions import Installed, Versions
from remote.releases.catalogue import Catalogue, Known
from remote.releases.release import is_newer
from remote.settings import Settings


@dataclass(frozen=True)
class Comparison:
    """One component: what is known of it at this moment."""

    name: str
    display_name: str
    installed: Installed
    known: Known
    standing: Standing

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

    def __init__(self, settings: Settings, versions: Versions, catalogue: Catalogue, board: Board) -> None:
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
            known=self._catalogue.known(component),
            standing=self._board.of(component),
        )

    def all(self) -> Mapping[str, Comparison]:
        """What is known of every component."""
        return {component: self.of(component) for component in self._settings.components}

    def check_result(self) -> dict[str, Any]:
        """The body of ``update_check_result``."""
        return {"components": {name: _checked(comparison) for name, comparison in self.all().items()}}

    def components(self) -> list[dict[str, Any]]:
        """The components as ``system_info`` lists them."""
        return [_listed(comparison) for comparison in self.all().values()]


def _checked(comparison: Comparison) -> dict[str, Any]:
    return {
        "current": comparison.installed.version,
        "latest": comparison.latest,
        "error": comparison.known.error or comparison.installed.error,
        **_common(comparison),
    }


def _listed(comparison: Comparison) -> dict[str, Any]:
    return {
        "name": comparison.name,
        "current_version": comparison.installed.version,
        "latest_version": comparison.latest,
        **_common(comparison),
    }


def _common(comparison: Comparison) -> dict[str, Any]:
    release, standing = comparison.known.release, comparison.standing
    return {
        "display_name": comparison.display_name,
        "update_available": comparison.update_available,
        "release_notes": release.notes if release else None,
        "release_url": release.url if release else None,
        "last_checked": stamp(comparison.known.checked_at),
        "running": standing.running,
        "running_since": stamp(standing.at),
        "running_how": standing.how,
    }


def stamp(moment: datetime | None) -> str | None:
    """A moment as messages tell it: ISO 8601, UTC."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
