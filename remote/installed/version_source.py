"""The interface of installed-version sources, and what they share: bounded file reading and the version rule."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from protocol.configuration import AbsolutePath, Section
from protocol.names import printable
from protocol.version import is_version, without_prefix
from remote.errors import RemoteError


class SourceSettings(Section):
    """The keys of ``[components.NAME]`` that a source may read; a source that needs another key adds it here."""

    repository: str = Field(pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)?$")
    display_name: str | None = None
    path: AbsolutePath | None = None
    service: str | None = None


@dataclass(frozen=True)
class VersionSource:
    """One way to find the installed version of a component.

    Attributes:
        needs: the keys of ``SourceSettings`` that must be set, each with its meaning for the error message.
        read: returns the installed version without a leading ``v``; raises ``VersionUnknownError``. Must not block.
    """

    needs: Mapping[str, str]
    read: Callable[[SourceSettings], str]


class VersionUnknownError(RemoteError):
    """The installed version cannot be determined: nothing is installed, mounted, or written in the expected form."""

    def __init__(self, component: SourceSettings, reason: str) -> None:
        name = component.display_name or component.repository
        super().__init__(f"cannot determine the installed version of {name}: {reason}")


def parse_version(component: SourceSettings, text: str, where: str, remedy: str) -> str:
    """Return ``text`` without a leading ``v`` if it is a version by ``protocol.version``.

    Args:
        component: the component whose version it is.
        text: what the source holds.
        where: the place of ``text``, for the error message.
        remedy: what the operator can do, for the error message.

    Raises:
        VersionUnknownError: ``text`` is not a version.
    """
    if not is_version(text):
        raise VersionUnknownError(component, f"{where} is {printable(text)}, which is not SemVer; {remedy}")
    return without_prefix(text)


def read_text(component: SourceSettings, limit: int) -> str:
    """Return the content of the file at the component's ``path``; symbolic links, such as ``current``, are followed.

    Never blocks and never reads more than ``limit`` + 1 bytes, also if ``path`` is a FIFO or a device.

    Args:
        component: the component whose file it is.
        limit: the largest accepted size in bytes.

    Raises:
        VersionUnknownError: the file is missing, unreadable, larger than ``limit``, or not UTF-8.
    """
    path = component.path
    if path is None:
        raise VersionUnknownError(component, "no path is configured; set path to the file that holds the version")
    try:
        content = _read_bytes(path, limit)
    except _NotAFileError:
        raise VersionUnknownError(
            component, f"{path} is not a regular file; set path to the file that holds the version"
        ) from None
    except OSError as error:
        raise VersionUnknownError(
            component, f"{path}: {error.strerror}; is it installed, mounted here, and readable for this user?"
        ) from None
    if len(content) > limit:
        raise VersionUnknownError(
            component, f"{path} has more than {limit} bytes; set path to the file that holds the version"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise VersionUnknownError(component, f"{path} is not UTF-8 at byte {error.start}; write it again") from None


class _NotAFileError(Exception):
    """The path is a directory, a FIFO or a device."""


def _read_bytes(path: Path, limit: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)  # a FIFO without a writer would block open()
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _NotAFileError
        return os.read(descriptor, limit + 1)
    finally:
        os.close(descriptor)
