"""Version source ``version_file``: the VERSION file of a Python application, JSON with ``full_version`` or one line."""

from __future__ import annotations

import json

from remote.installed.version_source import SourceSettings, VersionSource, VersionUnknownError, parse_version, read_text

FILE_BYTES = 65536
_REMEDY = "write it like 1.2.3 or 1.2.3-rc.1"


def read(component: SourceSettings) -> str:
    """Return the version in the file at ``path``.

    Raises:
        VersionUnknownError: there is no such file, or it holds no version.
    """
    text = read_text(component, FILE_BYTES).strip()
    if text.startswith("{"):
        return parse_version(component, _full_version(component, text), f"full_version in {component.path}", _REMEDY)
    return parse_version(component, text, f"the line in {component.path}", _REMEDY)


def _full_version(component: SourceSettings, text: str) -> str:
    try:
        value = json.loads(text).get("full_version")
    except (ValueError, RecursionError):
        raise VersionUnknownError(component, f"{component.path} is neither JSON nor one line; {_REMEDY}") from None
    if not isinstance(value, str):
        raise VersionUnknownError(component, f"full_version in {component.path} is missing or not text; {_REMEDY}")
    return value


SOURCE = VersionSource(needs={"path": "the file to read"}, read=read)
