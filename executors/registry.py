"""Executors by the name the configuration gives them; one file in ``kinds/`` is one executor."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from executors import backends
from executors.interface import Executor, ExecutorSettings, UnknownExecutorError
from protocol.clock import Clock
from protocol.modules import modules_of


class Kind(Protocol):
    """What each module of ``kinds/`` offers."""

    def create(self, settings: ExecutorSettings, clock: Clock) -> Executor:
        """Make the executor; nothing is started yet."""


def known() -> tuple[str, ...]:
    """The names a configuration may use, such as ``dry-run`` for ``kinds/dry_run.py``.

    Raises:
        OSError: the folder cannot be read.
    """
    return tuple(name.replace("_", "-") for name in modules_of(backends))


def load(name: str) -> Kind:
    """The executor's module; only the one asked for is imported.

    Raises:
        UnknownExecutorError: no executor has that name.
        OSError: the folder of executors cannot be read.
    """
    if name not in known():
        raise UnknownExecutorError(f"cannot find executor {name!r}: use one of {', '.join(known())}")
    return cast("Kind", importlib.import_module(f"{backends.__name__}.{name.replace('-', '_')}"))
