"""Executors by the name the configuration gives them; one file in ``kinds/`` is one executor."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Protocol, cast

from executors import kinds
from executors.errors import UnknownExecutorError
from executors.settings import ExecutorSettings
from executors.step import Executor
from protocol.clock import Clock


class Kind(Protocol):
    """What each module of ``kinds/`` offers."""

    def create(self, settings: ExecutorSettings, clock: Clock) -> Executor:
        """Make the executor; nothing is started yet."""


def known() -> tuple[str, ...]:
    """The names a configuration may use, such as ``dry-run`` for ``kinds/dry_run.py``."""
    return tuple(sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(kinds.__path__)))


def load(name: str) -> Kind:
    """The executor's module; only the one asked for is imported.

    Raises:
        UnknownExecutorError: no executor has that name.
    """
    if name not in known():
        raise UnknownExecutorError(f"cannot find executor {name!r}: use one of {', '.join(known())}")
    return cast("Kind", importlib.import_module(f"{kinds.__name__}.{name.replace('-', '_')}"))
