"""Taking away whatever stands at a name; the container can put anything anywhere in the shared folders."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path


def remove(path: Path) -> None:
    """Remove what is at ``path``: a file, a link but not its target, a folder with all it holds; nothing is fine, too.

    Raises:
        OSError: the folder around it is read-only or gone.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):  # POSIX lets unlink say either about a folder
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise
        shutil.rmtree(path)
