"""Fixtures for modules that define a ``Bench``: the parts of a coordinator under test, on a journal in a folder."""

from __future__ import annotations

import pytest


@pytest.fixture
def make(request, tmp_path):
    """A function that makes benches of the module; their journals are closed after the test."""
    made = []

    def bench(**options):
        made.append(request.module.Bench(tmp_path, **options))
        return made[-1]

    yield bench
    for each in made:
        each.journal.close()


@pytest.fixture
def bench(make):
    """A bench with an empty journal."""
    return make()
