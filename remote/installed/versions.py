"""Which version of every component is installed, as far as it can be told."""

from __future__ import annotations

from dataclasses import dataclass

from remote.installed import loading
from remote.installed.errors import VersionUnknownError
from remote.settings import Settings


@dataclass(frozen=True)
class Installed:
    """What is known of one component; both are None before the first look.

    Attributes:
        version: SemVer without a leading ``v``; None when it cannot be told.
        error: why not.
    """

    version: str | None
    error: str | None


class Versions:
    """What the last look at every component's source found.

    Args:
        settings: name the components and their sources.
    """

    def __init__(self, settings: Settings) -> None:
        self._kinds = {name: loading.load(component.installed) for name, component in settings.components.items()}
        self._components = settings.components
        self._found = dict.fromkeys(settings.components, Installed(None, None))

    def refresh(self) -> None:
        """Look at every source anew: others change them."""
        for component, kind in self._kinds.items():
            try:
                self._found[component] = Installed(kind.read(self._components[component]), None)
            except VersionUnknownError as error:
                self._found[component] = Installed(None, str(error))

    def of(self, component: str) -> Installed:
        """What was found of ``component``, which must be one of those configured."""
        return self._found[component]
