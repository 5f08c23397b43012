"""A component and the real executor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from executor_stage import CLOCK, Component

from executors.loading import load
from executors.settings import ExecutorSettings
from executors.step import Executor

OUTPUT_BYTES = 4096


@pytest.fixture
def settings(tmp_path: Path) -> ExecutorSettings:
    """Runs below the test's own directory, small excerpts."""
    return ExecutorSettings(runs=tmp_path / "runs", output_bytes=OUTPUT_BYTES)


@pytest.fixture
def component(tmp_path: Path) -> Component:
    """An empty component whose path needs quoting."""
    directory = tmp_path / "it's a component"
    directory.mkdir()
    return Component(directory)


@pytest.fixture
def executor(settings: ExecutorSettings) -> Iterator[Executor]:
    """The executor of the configuration's default, ``sh``."""
    made = load("sh").create(settings, CLOCK)
    yield made
    made.close()
