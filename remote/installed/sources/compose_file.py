"""Version source ``compose_file``: the tag of the image that a Docker Compose file gives a service.

The directory must be mounted, not the file: tools replace the file, and a mount of the file would keep the old inode.
"""

from __future__ import annotations

from protocol.names import printable
from remote.installed.version_source import SourceSettings, VersionSource, VersionUnknownError, parse_version, read_text

FILE_BYTES = 1 << 20
_REMEDY = "write it like name:1.2.3"


def read(component: SourceSettings) -> str:
    """Return the tag of the service's image in the compose file at ``path``; a digest after the tag is ignored.

    Raises:
        VersionUnknownError: there is no such file, service or tag, or the tag is not a version.
    """
    from remote.installed.compose_yaml import find_string  # noqa: PLC0415  3 MB, only where this source is in use

    text = read_text(component, FILE_BYTES)
    try:
        image = find_string(text, ("services", component.service or "", "image"))
    except ValueError as error:
        raise VersionUnknownError(component, f"{component.path}: {error}") from None
    if "$" in image:
        raise VersionUnknownError(
            component, f"{component.path}: the image {printable(image)} contains a variable; {_REMEDY}"
        )
    _, colon, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    if not colon:
        raise VersionUnknownError(component, f"{component.path}: the image {printable(image)} has no tag; {_REMEDY}")
    return parse_version(component, tag, f"the tag of the image in {component.path}", _REMEDY)


SOURCE = VersionSource(needs={"path": "the file to read", "service": "its name in that file"}, read=read)
