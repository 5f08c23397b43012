"""Release entries, and the choice of the newest one by SemVer precedence. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict
from semver import Version

from protocol.version import is_version, without_prefix

NOTES_CHARACTERS = 20_000  # bounds page and messages; GitHub allows 125,000
_ELLIPSIS = "\n…"


def _truncated(notes: str | None) -> str:
    notes = notes or ""
    return notes if len(notes) <= NOTES_CHARACTERS else f"{notes[: NOTES_CHARACTERS - len(_ELLIPSIS)]}{_ELLIPSIS}"


def _web_url(url: str) -> str:
    """Return ``url`` if it is http(s), else an empty text: a browser would run a ``javascript:`` link."""
    return url if url.startswith(("https://", "http://")) else ""


class ReleaseEntry(BaseModel):
    """One release as GitHub lists it, reduced to the fields that are used."""

    model_config = ConfigDict(frozen=True)

    tag_name: str
    draft: bool
    prerelease: bool
    html_url: Annotated[str, AfterValidator(_web_url)]
    body: Annotated[str | None, AfterValidator(_truncated)] = ""
    published_at: datetime | None = None


class Release(BaseModel):
    """A release that a component may be updated to.

    Args:
        version: SemVer without leading ``v``.
        notes: Markdown, at most ``NOTES_CHARACTERS`` characters.
        url: the release's web page; empty if the server gave no http(s) URL.
        prerelease: whether GitHub's flag or the version marks it as a pre-release.
        published_at: by the server's clock.
    """

    model_config = ConfigDict(frozen=True)

    version: str
    notes: str
    url: str
    prerelease: bool
    published_at: datetime | None


def newest(entries: Sequence[ReleaseEntry], *, prereleases: bool) -> Release | None:
    """Return the release with the highest SemVer precedence, independent of the date; None if there is none.

    Drafts and tags that are not versions are ignored. Of versions that differ in build metadata only, which has no
    precedence (SemVer 2.0.0, clause 10), the first one listed is taken: GitHub lists the latest release first.

    Args:
        entries: all listed releases.
        prereleases: whether pre-releases count.
    """
    candidates = [
        (version, entry)
        for entry in entries
        if not entry.draft
        and (version := _parse(entry.tag_name)) is not None
        and (prereleases or not _is_prerelease(version, entry))
    ]
    if not candidates:
        return None
    version, entry = max(candidates, key=lambda candidate: candidate[0])
    return Release(
        version=str(version),
        notes=entry.body or "",
        url=entry.html_url,
        prerelease=_is_prerelease(version, entry),
        published_at=entry.published_at,
    )


def is_newer(candidate: str, than: str) -> bool:
    """Whether ``candidate`` has the higher SemVer precedence; False if either is not a version."""
    offered, present = _parse(candidate), _parse(than)
    return offered is not None and present is not None and offered > present


def _is_prerelease(version: Version, entry: ReleaseEntry) -> bool:
    return entry.prerelease or version.prerelease is not None


def _parse(tag: str) -> Version | None:
    return Version.parse(without_prefix(tag)) if is_version(tag) else None
