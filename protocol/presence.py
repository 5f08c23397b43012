"""Whether something is there: what a sick disk does not answer is neither yes nor no."""

from __future__ import annotations

import errno
from pathlib import Path

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # the last: a container may put a link to itself anywhere


def is_there(path: Path) -> bool:
    """Whether a file or folder stands at ``path``, or where a link there leads.

    ``Path.exists`` says no from Python 3.14 on when the disk could not tell: a journal would count for lost.

    Raises:
        OSError: the disk is sick, or the folders above may not be entered.
    """
    try:
        path.stat()
    except OSError as error:
        if error.errno in _ABSENT:
            return False
        raise
    return True
