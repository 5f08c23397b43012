"""Version source ``itself``: the version of this program, from its image's build or its Python package."""

from __future__ import annotations

import os
from importlib import metadata

from remote.installed.version_source import SourceSettings, VersionSource, VersionUnknownError, parse_version

VARIABLE = "DUNEBUGGER_REMOTE_VERSION"
DISTRIBUTION = "dunebugger-update-coordinator"
_OWN_REPOSITORY = "dunebugger-remote"


def read(component: SourceSettings) -> str:
    """Return the version of the running program; the image's variable takes precedence over the package.

    Raises:
        VersionUnknownError: neither the image nor the package has a version.
    """
    if text := os.environ.get(VARIABLE):
        return parse_version(component, text, VARIABLE, "rebuild the image with the version of its release")
    try:
        text = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise VersionUnknownError(
            component, f"{VARIABLE} is not set, and {DISTRIBUTION} is not installed; install it with pip"
        ) from None
    return parse_version(component, text, f"the version of {DISTRIBUTION}", f"set {VARIABLE}")


def own_version() -> str:
    """Return the version of the running program, for log lines, ``/healthz`` and the ``User-Agent`` header.

    Raises:
        VersionUnknownError: neither the image nor the package has a version.
    """
    return read(SourceSettings(repository=_OWN_REPOSITORY))


SOURCE = VersionSource(needs={}, read=read)
