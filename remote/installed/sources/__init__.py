"""Registry of installed-version sources: ``components.NAME.installed`` in the configuration names one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from remote.installed.sources import compose_file, self_version, version_file
from remote.installed.version_source import VersionSource

SOURCES: Final[Mapping[str, VersionSource]] = {
    "compose_file": compose_file.SOURCE,
    "itself": self_version.SOURCE,
    "version_file": version_file.SOURCE,
}
