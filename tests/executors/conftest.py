"""Fixtures of the executors' tests: a component and the real executor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from executor_harness import CLOCK, EXECUTOR, ScriptFolder

from executors import script_executor
from executors.interface import Executor, ExecutorSettings
from executors.registry import load

OUTPUT_BYTES = 4096
# Each backend has tests of its own, beside the common ones.
collect_ignore = ["test_systemd_backend.py"] if EXECUTOR == "sh" else ["test_sh_backend.py"]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Run all of these in one worker: they use the same request ids, by which orphans without launcher are found."""
    item.add_marker(pytest.mark.xdist_group("executors"))


@pytest.fixture
def settings(tmp_path: Path) -> ExecutorSettings:
    """Runs below the test's own directory, small excerpts."""
    return ExecutorSettings(runs=tmp_path / "runs", output_bytes=OUTPUT_BYTES)


@pytest.fixture
def component(tmp_path: Path) -> ScriptFolder:
    """An empty component whose path needs quoting."""
    directory = tmp_path / "it's a component"
    directory.mkdir()
    return ScriptFolder(directory)


@pytest.fixture
def executor(settings: ExecutorSettings) -> Iterator[Executor]:
    """The executor under test."""
    made = load(EXECUTOR).create(settings, CLOCK)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _kill_leftovers(tmp_path: Path) -> Iterator[None]:
    """Kill the processes that a test left in its folders."""
    yield
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(tmp_path):
                os.kill(int(process.name), 9)


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time after which orphans that ignore TERM are killed."""
    monkeypatch.setattr(script_executor, "_ORPHAN_GRACE_S", 0.2)


@pytest.fixture
def others(tmp_path: Path) -> tuple[ExecutorSettings, ScriptFolder]:
    """Another coordinator's folders on the same host."""
    directory = tmp_path / "other component"
    directory.mkdir()
    return ExecutorSettings(runs=tmp_path / "others", output_bytes=4096), ScriptFolder(directory)
