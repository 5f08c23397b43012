"""Settings of one component: its repository, and the source of its installed version."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, model_validator

from remote.installed.sources import SOURCES
from remote.installed.version_source import SourceSettings


def _source(value: str) -> str:
    if value not in SOURCES:
        raise ValueError(f"must be one of {', '.join(SOURCES)}")
    return value


class ComponentSettings(SourceSettings):
    """``[components.NAME]``: a component that can be updated, its repository and its installed-version source."""

    installed: Annotated[str, AfterValidator(_source)]

    @model_validator(mode="after")
    def _has_what_its_source_needs(self) -> ComponentSettings:
        for key, meaning in SOURCES[self.installed].needs.items():
            if getattr(self, key) is None:
                raise ValueError(f'installed = "{self.installed}" needs {key}, {meaning}')
        return self
