"""Registry of the executor backends, by the name that the configuration gives them."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from executors.interface import Executor, ExecutorSettings, UnknownExecutorError
from protocol.clock import Clock

# Modules by name, not imported here, so that only the configured backend and its imports cost memory.
_BACKENDS = {
    "dry-run": "executors.backends.dry_run",
    "sh": "executors.backends.sh",
    "systemd": "executors.backends.systemd",
}


class Backend(Protocol):
    """What each backend's module offers."""

    def create(self, settings: ExecutorSettings, clock: Clock) -> Executor:
        """Return the executor; nothing is started yet.

        Raises:
            UnsuitableHostError: this host does not support it.
        """


def backend_names() -> tuple[str, ...]:
    """The names that ``execution.executor`` may have in the configuration, sorted."""
    return tuple(sorted(_BACKENDS))


def load(name: str) -> Backend:
    """Import the backend called ``name``, and no other.

    Raises:
        UnknownExecutorError: no backend has that name.
    """
    if name not in _BACKENDS:
        raise UnknownExecutorError(f"cannot find executor {name!r}: use one of {', '.join(backend_names())}")
    return cast("Backend", importlib.import_module(_BACKENDS[name]))
