"""A journal on disk, and a writer for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from journal_writer import JournalWriter

from fsm.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty journal."""
    with Journal.open(tmp_path / "journal.sqlite") as opened:
        yield opened


@pytest.fixture
def writer(journal: Journal) -> JournalWriter:
    """A writer for that journal."""
    return JournalWriter(journal)
