"""Registry of the executor backends, by the name that the configuration gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from executors.interface import Executor, ExecutorSettings, UnknownExecutorError
from protocol.clock import Clock


class Backend(Protocol):
    """What each backend's module offers."""

    def create(self, settings: ExecutorSettings, clock: Clock) -> Executor:
        """Return the executor; nothing is started yet.

        Raises:
            UnsuitableHostError: this host does not support it.
        """


# Each imports its module when it is called, so that only the configured backend and its imports cost memory.


def _dry_run() -> Backend:
    from executors.backends import dry_run  # noqa: PLC0415  as above

    return dry_run


def _sh() -> Backend:
    from executors.backends import sh  # noqa: PLC0415  as above

    return sh


def _systemd() -> Backend:
    from executors.backends import systemd  # noqa: PLC0415  as above

    return systemd


_BACKENDS: dict[str, Callable[[], Backend]] = {"dry-run": _dry_run, "sh": _sh, "systemd": _systemd}


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
    return _BACKENDS[name]()
