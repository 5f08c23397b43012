"""A Python application's VERSION file: JSON with ``full_version``, or one plain line."""

from __future__ import annotations

import json

from remote.installed.errors import VersionUnknownError
from remote.installed.version_source import read_text
from remote.installed.well_formed import version_in
from remote.settings import Component

NEEDS = ("path",)
FILE_BYTES = 65536
_REMEDY = "write it like 1.2.3 or 1.2.3-rc.1"


def read(component: Component) -> str:
    """The version that the file at ``path`` tells.

    Raises:
        VersionUnknownError: there is no such file, or it does not tell a version.
    """
    text = read_text(component, FILE_BYTES).strip()
    if text.startswith("{"):
        return version_in(component, _full_version(component, text), f"full_version in {component.path}", _REMEDY)
    return version_in(component, text, f"the line in {component.path}", _REMEDY)


def _full_version(component: Component, text: str) -> str:
    try:
        value = json.loads(text).get("full_version")
    except (ValueError, RecursionError):
        raise VersionUnknownError(
            component, f"{component.path} is neither JSON nor one plain line; {_REMEDY}"
        ) from None
    if not isinstance(value, str):
        raise VersionUnknownError(component, f"{component.path} has no text as full_version; {_REMEDY}")
    return value
