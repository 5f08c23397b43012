"""The hand that pulls the plug: it kills the coordinator before any one effect, and first shows each to others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fsm.database import Database


class KilledError(BaseException):
    """The process died here. Not an ``Exception``: nothing in the coordinator may survive it by catching it."""


class Fuse:
    """Kills before the n-th effect from now, or before a named one.

    ``burnt`` lists the effects that happened, for the report. ``watchers`` are told of an effect that will certainly
    happen, just before it does: its name, and the paths it touches.
    """

    def __init__(self) -> None:
        self._limit: int | str | None = None
        self.is_watching = False
        self.burnt: list[str] = []
        self.violation: AssertionError | None = None
        self.watchers: list[Callable[[str, tuple[Path, ...]], None]] = []

    @contextmanager
    def armed(self, limit: int | str | None) -> Iterator[None]:
        """Let so many effects happen, or all before the first of that name, then kill; None lets all happen."""
        self._limit, self.is_watching, self.burnt = limit, True, []
        try:
            yield
        finally:
            self._limit, self.is_watching = None, False

    def step(self, name: str, *paths: Path) -> None:
        """An effect is about to happen."""
        if not self.is_watching:
            return
        effect = f"{name} {paths[-1].name}" if paths else name
        if self._limit in (len(self.burnt), name, effect):
            raise KilledError(effect)
        self.burnt.append(effect)
        for watcher in self.watchers:
            self.check(lambda watcher=watcher: watcher(name, paths))

    def check(self, check: Callable[[], None]) -> None:
        """Kill when ``check`` fails, and keep its failure: the coordinator itself guards against every Exception."""
        try:
            check()
        except AssertionError as violation:
            self.violation = violation
            raise KilledError("violation") from violation

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """Put the fuse before each commit, and before each system call that changes a folder or a file."""
        with ExitStack() as patches:
            for name in ("unlink", "rename", "mkdir", "rmdir", "write"):
                patches.enter_context(patch.object(os, name, self._before(name, getattr(os, name))))
            patches.enter_context(patch.object(Database, "transaction", self._transaction(Database.transaction)))
            yield

    def _before(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def fused(*arguments: Any, **options: Any) -> Any:
            self.step(name, *(Path(argument) for argument in arguments if isinstance(argument, str | os.PathLike)))
            return call(*arguments, **options)

        return fused

    def _transaction(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def transaction(database: Database, *, durable: bool = True) -> Iterator[None]:
            is_outermost = not database._connection.in_transaction
            with original(database, durable=durable):
                yield
                if is_outermost:
                    self.step("commit")

        return transaction
