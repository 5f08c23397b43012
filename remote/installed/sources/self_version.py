"""This program's own version: as its image was built, or as its package says."""

from __future__ import annotations

import os
from importlib import metadata

from remote.installed.errors import VersionUnknownError
from remote.installed.well_formed import version_in
from remote.settings import SELF, Component

NEEDS = ()
VARIABLE = "DUNEBUGGER_REMOTE_VERSION"
DISTRIBUTION = "dunebugger-update-coordinator"


def read(component: Component) -> str:
    """The version of the program that runs here, whatever else is mounted.

    Raises:
        VersionUnknownError: neither the image nor the package tells it.
    """
    if text := os.environ.get(VARIABLE):
        return version_in(component, text, VARIABLE, "build the image anew with its release's version")
    try:
        text = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise VersionUnknownError(
            component, f"{VARIABLE} is not set, and {DISTRIBUTION} is not installed; install it with pip"
        ) from None
    return version_in(component, text, f"the version of {DISTRIBUTION}", f"set {VARIABLE}")


def own_version() -> str:
    """The version of the program that runs here.

    Raises:
        VersionUnknownError: neither the image nor the package tells it.
    """
    return read(Component(repository=f"dunebugger-{SELF}", installed="itself"))
