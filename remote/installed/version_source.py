"""A file that the host keeps and that is mounted here; whatever is in its place, reading it comes to an end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from remote.installed.errors import VersionUnknownError
from remote.settings import Component


def read_text(component: Component, limit: int) -> str:
    """The whole text of the file at the component's ``path``; links are followed, ``current`` is one.

    Args:
        component: tells where the file is.
        limit: the largest size in bytes.

    Raises:
        VersionUnknownError: there is no such file, it cannot be read, or it is no text of at most ``limit`` bytes.
    """
    path = component.path
    if path is None:
        raise VersionUnknownError(component, "no path is configured; set it to the file that tells")
    try:
        content = _content(path, limit)
    except _NotAFileError:
        raise VersionUnknownError(component, f"{path} is no file; set path to the file that tells") from None
    except OSError as error:
        raise VersionUnknownError(
            component, f"{path}: {error.strerror}; is it installed, mounted here, and may this user read it?"
        ) from None
    if len(content) > limit:
        raise VersionUnknownError(component, f"{path} has more than {limit} bytes; set path to the file that tells")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise VersionUnknownError(component, f"{path} is not UTF-8 at byte {error.start}; write it anew") from None


class _NotAFileError(Exception):
    """Something else than a plain file: a folder, a pipe, a device."""


def _content(path: Path, limit: int) -> bytes:
    """At most one byte more than ``limit``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)  # not blocking: it may be a pipe
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _NotAFileError
        return os.read(descriptor, limit + 1)
    finally:
        os.close(descriptor)
