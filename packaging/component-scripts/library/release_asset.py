"""Find a release's artifact, and the digest that the release publishes for it.

usage: release_asset.py choose RELEASE_JSON TAG ASSET   prints four lines: URL, digest, size in bytes, URL of SHA256SUMS
       release_asset.py sum SHA256SUMS ASSET            prints the digest that the list gives the artifact

RELEASE_JSON is what GitHub returns for ``GET /repos/{owner}/{repo}/releases/tags/{tag}``. A digest is ``sha256:`` and
64 hex digits. The digest line is empty when the asset has none, the last line when the release has no SHA256SUMS.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
SUM_LINE = re.compile(r"([0-9A-Fa-f]{64}) [ *](.+)")
URL = re.compile(r"https?://[!-~]+")
SUMS = "SHA256SUMS"


class ReleaseError(Exception):
    """The release has no verifiable artifact; its publisher must fix it."""


def select_asset(release: Any, tag: str, name: str) -> list[str]:
    """URL, digest, size and URL of SHA256SUMS of the artifact ``name``.

    Raises:
        ReleaseError: the release has another tag, no such artifact, or no digest of it.
    """
    if not isinstance(release, dict) or release.get("tag_name") != tag:
        raise ReleaseError(f"the response is not the release {tag}; check API and REPOSITORY in component.env")
    asset = _asset(release, name)
    if asset is None:
        raise ReleaseError(f"release {tag} has no file {name}; it has: {', '.join(_names(release)) or 'none'}")
    digest = asset.get("digest") or ""
    sums = "" if name == SUMS else _url(_asset(release, SUMS))
    if not digest and not sums:
        raise ReleaseError(f"release {tag} publishes no SHA-256 of {name}: neither a digest nor a file {SUMS}; add one")
    if digest and not (isinstance(digest, str) and DIGEST.fullmatch(digest)):
        raise ReleaseError(f"the digest {digest!r} of {name} is not a SHA-256; publish the release again")
    size = asset.get("size")
    return [_url(asset), digest, str(size) if isinstance(size, int) else "0", sums]


def digest_from_sums(sums: str, name: str) -> str:
    """The digest of ``name`` in a list in the format of ``sha256sum``.

    Raises:
        ReleaseError: the list has no digest of it, or two different ones.
    """
    matches = [match for line in sums.splitlines() if (match := SUM_LINE.fullmatch(line.rstrip()))]
    found = {match[1].lower() for match in matches if match[2].removeprefix("./") == name}
    if len(found) != 1:
        raise ReleaseError(f"{SUMS} gives {name} {len(found) or 'no'} digests, not one; publish the release again")
    return f"sha256:{found.pop()}"


def _assets(release: dict[str, Any]) -> Iterator[dict[str, Any]]:
    assets = release.get("assets")
    for asset in assets if isinstance(assets, list) else []:
        if isinstance(asset, dict) and asset.get("state", "uploaded") == "uploaded":
            yield asset


def _names(release: dict[str, Any]) -> list[str]:
    return [str(asset.get("name")) for asset in _assets(release)]


def _asset(release: dict[str, Any], name: str) -> dict[str, Any] | None:
    found = [asset for asset in _assets(release) if asset.get("name") == name]
    if len(found) > 1:
        raise ReleaseError(f"the release has {name} {len(found)} times; publish it again")
    return found[0] if found else None


def _url(asset: dict[str, Any] | None) -> str:
    if asset is None:
        return ""
    url = asset.get("browser_download_url")
    if not isinstance(url, str) or not URL.fullmatch(url):
        raise ReleaseError(f"{asset.get('name')} has no download URL: {url!r}; publish the release again")
    return url


def main(arguments: list[str]) -> int:
    """Run the command; prints errors to standard error. 0 success, 1 failure, 2 wrong usage."""
    try:
        match arguments:
            case ["choose", file, tag, name]:
                lines = select_asset(json.loads(Path(file).read_bytes()), tag, name)
            case ["sum", file, name]:
                lines = [digest_from_sums(Path(file).read_text(encoding="utf-8", errors="replace"), name)]
            case _:
                sys.stderr.write(f"{__doc__}\n")
                return 2
    except (ReleaseError, ValueError, RecursionError) as error:
        sys.stderr.write(f"cannot use the release: {error}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
