"""What can go wrong with finding out what is installed."""

from __future__ import annotations

from remote.errors import RemoteError
from remote.settings import Component


class VersionUnknownError(RemoteError):
    """Which version is installed cannot be told: nothing is installed, mounted or written as it must be."""

    def __init__(self, component: Component, reason: str) -> None:
        name = component.display_name or component.repository
        super().__init__(f"cannot tell which version of {name} is installed: {reason}")
