"""Crash injection: kills the coordinator before any single effect, and notifies listeners before each effect."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch


class KilledError(BaseException):
    """The simulated process is killed. A ``BaseException``, so that no handler in the coordinator can catch it."""


class CrashInjector:
    """Kills before the n-th effect from now, or before a named one.

    ``effects`` lists the effects that happened, for reports. ``listeners`` are called just before an effect that will
    happen, with its name and the paths it touches.
    """

    def __init__(self) -> None:
        self._limit: int | str | None = None
        self.is_armed = False
        self.effects: list[str] = []
        self.violation: AssertionError | None = None
        self.listeners: list[Callable[[str, tuple[Path, ...]], None]] = []

    @contextmanager
    def armed(self, limit: int | str | None) -> Iterator[None]:
        """Allow this many effects, or all before the first of that name, then kill; None allows all."""
        self._limit, self.is_armed, self.effects = limit, True, []
        try:
            yield
        finally:
            self._limit, self.is_armed = None, False

    def step(self, name: str, *paths: Path) -> None:
        """Register one effect that is about to happen.

        Raises:
            KilledError: the coordinator is killed instead.
        """
        if not self.is_armed:
            return
        effect = f"{name} {paths[-1].name}" if paths else name
        if self._limit in (len(self.effects), name, effect):
            raise KilledError(effect)
        self.effects.append(effect)
        for listener in self.listeners:
            self.check(lambda listener=listener: listener(name, paths))

    def check(self, check: Callable[[], None]) -> None:
        """Kill the coordinator if ``check`` fails, and keep the failure, because its guards catch every Exception."""
        try:
            check()
        except AssertionError as violation:
            self.violation = violation
            raise KilledError("violation") from violation

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Intercept each system call that changes a directory or a file: the boundary to the kernel."""
        with ExitStack() as patches:
            for name in ("unlink", "rename", "mkdir", "rmdir", "write"):
                patches.enter_context(patch.object(os, name, self._before(name, getattr(os, name))))
            yield

    def _before(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def injected(*arguments: Any, **options: Any) -> Any:
            self.step(name, *(Path(argument) for argument in arguments if isinstance(argument, str | os.PathLike)))
            return call(*arguments, **options)

        return injected
