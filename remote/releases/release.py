"""What counts as a release, and which of many is the newest: pure, no network, no disk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict
from semver import Version

NOTES_CHARACTERS = 20_000  # what a page shows and a message carries; GitHub allows 125,000
_CUT = "\n…"

# semver's own pattern admits other alphabets' digits and a final newline. The coordinator does not, nor longer ones.
_PLAIN = re.compile(r"[0-9A-Za-z.+-]{1,128}")


def _cut(notes: str | None) -> str:
    notes = notes or ""
    return notes if len(notes) <= NOTES_CHARACTERS else f"{notes[: NOTES_CHARACTERS - len(_CUT)]}{_CUT}"


def _link(url: str) -> str:
    """A browser follows what stands here: nothing but the web, then."""
    return url if url.startswith(("https://", "http://")) else ""


class Entry(BaseModel):
    """One release as GitHub lists it, without the fields that nobody here reads."""

    model_config = ConfigDict(frozen=True)

    tag_name: str
    draft: bool
    prerelease: bool
    html_url: Annotated[str, AfterValidator(_link)]
    body: Annotated[str | None, AfterValidator(_cut)] = ""
    published_at: datetime | None = None


class Release(BaseModel):
    """A release that a component may be updated to.

    Args:
        version: SemVer without leading ``v``.
        notes: Markdown, at most ``NOTES_CHARACTERS`` of it.
        url: where people read about it; empty when the server named no web address.
        prerelease: whether its publisher, or its version, calls it one.
        published_at: when, by the server's clock.
    """

    model_config = ConfigDict(frozen=True)

    version: str
    notes: str
    url: str
    prerelease: bool
    published_at: datetime | None


def newest(entries: Sequence[Entry], *, prereleases: bool) -> Release | None:
    """The release of the highest SemVer precedence, whichever was published last.

    Drafts and tags that are no SemVer are passed over. Of versions that differ in nothing but build metadata, which
    has no precedence (SemVer 2.0.0, clause 10), the one that is listed first is taken: GitHub lists the newest first.

    Args:
        entries: all that is listed.
        prereleases: whether those count that are marked as such, or whose version says so.
    """
    candidates = [
        (version, entry)
        for entry in entries
        if not entry.draft
        and (version := _version(entry.tag_name)) is not None
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
    """Whether ``candidate`` has the higher SemVer precedence; False when either is no SemVer, leading ``v`` or not."""
    offered, present = _version(candidate), _version(than)
    return offered is not None and present is not None and offered > present


def _is_prerelease(version: Version, entry: Entry) -> bool:
    return entry.prerelease or version.prerelease is not None


def _version(tag: str) -> Version | None:
    text = tag.removeprefix("v")
    return Version.parse(text) if _PLAIN.fullmatch(tag) and Version.is_valid(text) else None
