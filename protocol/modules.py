"""Whether the program itself could be read whole: a sick disk must not leave a coordinator with a part of its code.

``pkgutil`` takes a folder that it cannot read for an empty one, the import system one whose ``__init__.py`` it cannot
look at for a namespace package. A coordinator without judges would let everything in.
"""

from __future__ import annotations

import errno
import sys
from importlib import resources
from pathlib import Path
from types import ModuleType

from protocol.fs import exists


def modules_of(package: ModuleType) -> list[str]:
    """The names of the modules in ``package``, sorted.

    Raises:
        OSError: the folder cannot be read, or holds none at all: the disk's fault, or that of an installation.
    """
    folder = resources.files(package)
    files = [item.name for item in folder.iterdir() if item.name.endswith(".py") and item.name != "__init__.py"]
    if not files:
        raise FileNotFoundError(errno.ENOENT, "no module in it; install the coordinator anew", str(folder))
    return sorted(file.removesuffix(".py") for file in files)


def hollow_packages() -> list[str]:
    """The names of packages that were imported without their ``__init__.py``, although they have one; sorted.

    Whoever needs something of such a package stumbles over it at any later time, again and again.

    Raises:
        OSError: whether a package has one cannot be looked at.
    """
    return sorted(name for name, module in list(sys.modules.items()) if _is_hollow(module))


def _is_hollow(module: ModuleType | None) -> bool:
    if getattr(module, "__file__", None) is not None:
        return False
    return any(exists(Path(folder) / "__init__.py") for folder in getattr(module, "__path__", ()))
