"""Sources of a version by the name the configuration gives them; one file in ``kinds/`` is one source."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from protocol.modules import modules_of
from remote.installed import sources

if TYPE_CHECKING:  # settings ask here what they may hold
    from remote.settings import Component


class Kind(Protocol):
    """What each module of ``kinds/`` offers.

    Attributes:
        NEEDS: what the configuration must say for it, of ``path`` and ``service``.
    """

    NEEDS: tuple[str, ...]

    def read(self, component: Component) -> str:
        """The installed version, without a leading ``v``.

        Raises:
            VersionUnknownError: it cannot be told.
        """


def known() -> list[str]:
    """The names a configuration may use.

    Raises:
        OSError: the folder cannot be read.
    """
    return modules_of(sources)


def load(name: str) -> Kind:
    """The source's module, by one of the names that are known."""
    return cast("Kind", importlib.import_module(f"{sources.__name__}.{name}"))
